import { basename, dirname, extname, resolve } from "node:path";
import type { Inventory } from "../../fleet/inventory.js";
import { check } from "../../schemas/check.js";
import { InvalidFile, MusterError, UsageError } from "../../schemas/errors.js";
import { invalid } from "../../schemas/explain.js";
import { kindOf } from "../../schemas/kind.js";
import { suggest } from "../../schemas/nearest.js";
import { readSource } from "../../schemas/yaml.js";
import { plainPath } from "../job/inputs.js";
import { Reader } from "../job/reader.js";
import { circle } from "./graph.js";
import { readNotices } from "./notices.js";
import { offerOf } from "./offers.js";
import type { Feed, Pipeline, Step } from "./pipeline.js";
import { readSchedule, readScheduling } from "./scheduling.js";
import { readWork } from "./stepwork.js";

export interface PipelineOptions {
  /** `--set STEP.key=value`. */
  set?: Record<string, string>;
  /** Where jobs may run, and their routes. Absent: what depends on it is not checked. */
  inventory?: Inventory;
}

/**
 * Reads and checks a pipeline and the job file of every step. Nothing is contacted. Throws InvalidFile with every problem in
 * all of these files, or UsageError for settings that do not go with them.
 */
export function loadPipeline(file: string, options: PipelineOptions = {}): Pipeline {
  const path = resolve(file);
  const source = readSource(file);
  if (kindOf(source) !== "pipeline")
    throw new InvalidFile([{ ...source.at([]), message: "is not a pipeline", hint: "a pipeline has `steps`" }]);
  const reader = new Reader(source, dirname(path));
  reader.problems.push(...check(source, "pipeline"));
  const name = reader.text(["name"]) ?? nameOfFile(path);
  const drafts = readDrafts(reader);
  checkCircle(reader, drafts);
  const settings = settingsOf(options.set ?? {}, [...drafts.keys()]);
  const steps = [...drafts].flatMap(([step, { needs, feeds }]): Step[] => {
    const at = ["steps", step];
    const work = readWork(reader, step, { name, feeds, set: settings.get(step) ?? {}, inventory: options.inventory });
    const when = reader.text([...at, "when"]) === "changed" ? "changed" : "always";
    return work === undefined
      ? []
      : [{ name: step, needs, feeds, work, when, schedule: readSchedule(reader, at), place: source.atKey(at) }];
  });
  const settingsOfRuns = { ...readScheduling(reader), notices: readNotices(reader) };
  for (const step of steps) findFeeds(reader, step, steps);
  if (reader.problems.length > 0) throw invalid(reader.problems);
  return { name, file: path, folder: dirname(path), steps, ...settingsOfRuns };
}

/**
 * Whom a pipeline's file wants to be told of failures, as far as that can be read though the rest of the file cannot be used;
 * undefined where it cannot.
 */
export function loadNotices(file: string): Pick<Pipeline, "name" | "folder" | "notices"> | undefined {
  try {
    const source = readSource(file);
    const reader = new Reader(source, dirname(resolve(file)));
    const notices = readNotices(reader);
    if (reader.problems.length > 0) return undefined;
    return { name: reader.text(["name"]) ?? nameOfFile(resolve(file)), folder: reader.folder, notices };
  } catch (error) {
    if (error instanceof MusterError) return undefined;
    throw error;
  }
}

/** What a step needs and takes, before anything is known of what it runs. */
interface Draft {
  needs: string[];
  feeds: Feed[];
}

function readDrafts(reader: Reader): Map<string, Draft> {
  const names = reader.keys(["steps"]);
  return new Map(
    names.map((step) => {
      const at = ["steps", step];
      const written = reader.list([...at, "needs"]) ?? [];
      for (const { text, place } of written)
        if (!names.includes(text))
          reader.note(place, `steps.${step}.needs: there is no step "${text}"`, suggest(text, names));
      const feeds = reader.keys([...at, "inputs"]).flatMap((path) => readFeed(reader, step, path, names));
      const wanted = new Set([...written.map(({ text }) => text), ...feeds.map((feed) => feed.step)]);
      return [step, { needs: names.filter((name) => wanted.has(name)), feeds }];
    }),
  );
}

function readFeed(reader: Reader, step: string, path: string, names: string[]): Feed[] {
  const at = ["steps", step, "inputs", path];
  const text = reader.text(at);
  if (text === undefined) return [];
  const plain = plainPath(path);
  if (!plain.ok) reader.note(reader.source.atKey(at), `steps.${step}.inputs: the path "${path}" ${plain.message}`);
  const [from = "", ...rest] = text.split("/");
  if (!names.includes(from)) {
    reader.fault(at, `steps.${step}.inputs: "${text}": there is no step "${from}"`, suggest(from, names));
    return [];
  }
  return [{ path: plain.ok ? plain.path.replace(/\/$/, "") : path, step: from, from: rest.join("/") }];
}

function checkCircle(reader: Reader, drafts: Map<string, Draft>): void {
  const found = circle(new Map([...drafts].map(([step, { needs }]) => [step, needs])));
  if (found === undefined) return;
  const [step = "", needed = ""] = found;
  const index = reader.list(["steps", step, "needs"])?.findIndex(({ text }) => text === needed) ?? -1;
  const feed = reader
    .keys(["steps", step, "inputs"])
    .find((path) => reader.text(["steps", step, "inputs", path])?.split("/")[0] === needed);
  const at = index >= 0 ? ["needs", index] : ["inputs", feed ?? ""];
  const message =
    found.length === 2 ? `step ${step} needs itself` : `these steps need one another: ${found.join(" -> ")}`;
  reader.fault(["steps", step, ...at], message, "take one of these arrows away");
}

/** Turns what is written after a step's name into the place in its folder. */
function findFeeds(reader: Reader, step: Step, steps: Step[]): void {
  for (const feed of step.feeds) {
    const maker = steps.find(({ name }) => name === feed.step);
    if (maker === undefined) continue;
    const offer = offerOf(maker.work, feed.from);
    const at = reader.keys(["steps", step.name, "inputs"]).find((path) => sameFeed(path, feed));
    if (offer.ok) feed.from = offer.from;
    else reader.fault(["steps", step.name, "inputs", at ?? ""], `step ${feed.step} ${offer.message}`, offer.hint);
  }
}

function sameFeed(path: string, feed: Feed): boolean {
  const plain = plainPath(path);
  return plain.ok && plain.path.replace(/\/$/, "") === feed.path;
}

/** `--set STEP.key=value` by step. */
function settingsOf(set: Record<string, string>, steps: string[]): Map<string, Record<string, string>> {
  const settings = new Map<string, Record<string, string>>();
  for (const [key, value] of Object.entries(set)) {
    const at = key.indexOf(".");
    const step = at < 0 ? key : key.slice(0, at);
    if (!steps.includes(step))
      throw new UsageError(
        `--set ${key}: there is no step "${step}"`,
        suggest(step, steps) ?? "In a pipeline it is --set STEP.key=value.",
      );
    if (at < 0) throw new UsageError(`--set ${key}: in a pipeline it is --set STEP.key=value`);
    settings.set(step, { ...settings.get(step), [key.slice(at + 1)]: value });
  }
  return settings;
}

function nameOfFile(path: string): string {
  const name = basename(path, extname(path))
    .replace(/[^A-Za-z0-9_.-]/g, "-")
    .replace(/^[.-]+/, "")
    .slice(0, 50);
  return name === "" || /^\d+$/.test(name) ? "pipeline" : name;
}
