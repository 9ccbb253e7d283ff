import { existsSync } from "node:fs";
import { basename, dirname, extname, join, relative } from "node:path";
import { deriveName } from "../executor/job/derivedname.js";
import { quote } from "../fleet/quote.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import {
  readJobStarter,
  readPipelineStarter,
  readScriptStarter,
  STARTER_KINDS,
  type StarterFile,
  type StarterKind,
} from "../templates/starters.js";
import { type DraftOptions, draftInventory } from "./initinventory.js";
import { findPlaybookPath, formatNextStep, makePlaybook, makeTypes } from "./initplaybook.js";
import { type NewFile, rejectExisting, writeNewFiles } from "./newfiles.js";

/** The options of `muster init`. */
interface InitOptions extends DraftOptions {
  output?: string;
  kind?: string;
}

const DEFAULT_FILES = { inventory: "inventory.yaml", job: "job.yaml", pipeline: "pipeline.yaml" } as const;

/**
 * `muster init job [SCRIPT]`, `muster init pipeline`, `muster init playbook [NAME]`, `muster init inventory [HOST...]`: writes a file to start
 * from, with comments. Files that exist are never replaced. Returns the exit status: 3 where some machine of an inventory could not be asked.
 */
export async function init(what: string, words: string[], options: InitOptions, writers: Writers): Promise<number> {
  if (what !== "playbook" && !isStarterFile(what))
    throw new UsageError(`init ${what}: there is no such file`, "Name one of inventory, job, pipeline and playbook.");
  if (what !== "job" && options.kind !== undefined) throw new UsageError("--kind is for `muster init job`");
  if (what !== "inventory" && options.from !== undefined) throw new UsageError("--from is for `muster init inventory`");
  const path = options.output ?? (what === "playbook" ? findPlaybookPath(words[0]) : DEFAULT_FILES[what]);
  if (path !== "-") rejectExisting(path);
  switch (what) {
    case "inventory": {
      const { text, unreached } = await draftInventory(words, options, writers);
      writeNewFiles([{ path, text }], "muster nodes", options, writers);
      return unreached === 0 ? 0 : 3;
    }
    case "job": {
      if (words.length > 1) throw new UsageError("init job takes one script");
      const kind = parseKind(options.kind);
      const next = kind === "queue" ? `${addFirstTask(path)} && ${runHere(path)}` : runHere(path);
      writeNewFiles(makeJob(path, words[0], kind), next, options, writers);
      return 0;
    }
    case "pipeline":
      if (words.length > 0) throw new UsageError("init pipeline takes no further words");
      writeNewFiles(makePipeline(path), runHere(path), options, writers);
      return 0;
    case "playbook":
      if (words.length > 1) throw new UsageError("init playbook takes one name");
      writeNewFiles(makePlaybook(path), formatNextStep(path), options, writers);
      if (path !== "-") makeTypes(writers);
      return 0;
    default:
      return what satisfies never;
  }
}

function isStarterFile(text: string): text is StarterFile {
  return Object.hasOwn(DEFAULT_FILES, text);
}

function parseKind(text = "range"): StarterKind {
  const kind = STARTER_KINDS.find((one) => one === text);
  if (kind === undefined)
    throw new UsageError(`--kind ${text}: there is no starter of it`, `Name one of ${STARTER_KINDS.join(", ")}.`);
  return kind;
}

/** A job, and the script that it runs if none is named. */
function makeJob(path: string, named: string | undefined, kind: StarterKind): NewFile[] {
  const folder = dirname(path);
  const script = named === undefined ? "worker.py" : relative(folder, named);
  const name = deriveName(named === undefined ? basename(path, extname(path)) : basename(named, extname(named)), {
    maxLength: 60,
    fallback: "job",
  });
  const job = { path, text: readJobStarter(kind, { name, script: formatJson(script), file: basename(path) }) };
  return named === undefined ? [job, { path: join(folder, script), text: readScriptStarter(kind) }] : [job];
}

/** A pipeline, and a job for its first step where there is none yet. */
function makePipeline(path: string): NewFile[] {
  const job = join(dirname(path), DEFAULT_FILES.job);
  const name = deriveName(basename(path, extname(path)), { maxLength: 60, fallback: "pipeline" });
  const text = readPipelineStarter({ name, job: DEFAULT_FILES.job, file: basename(path) });
  return [{ path, text }, ...(existsSync(job) ? [] : makeJob(job, undefined, "range"))];
}

function addFirstTask(path: string): string {
  return `echo '{"id": "first"}' | muster add ${quote(path)} -`;
}

function runHere(path: string): string {
  return `muster run -i local ${quote(path)}`;
}
