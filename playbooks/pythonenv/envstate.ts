import type { CommandState, Difference } from "../engine/resource.js";
import type { EnvRequest } from "./envrequest.js";

/** What templates/muster_env/main.py found on a node. Every field is checked, because nodes are not trusted. */
export interface EnvState {
  /** undefined: it could not look; see `error`. */
  link?: "missing" | "foreign" | "ours";
  error?: string;
  /** The base interpreter's version; undefined for conda. */
  base?: { version: string; error: string };
  /** What the environment was made from; undefined: it is not complete. */
  marker?: { key: string; python: string };
  /** Why its interpreter does not run. */
  broken?: string;
  problems: Difference[];
  /** Requirements of which only the presence could be checked, or nothing. */
  unchecked: string[];
}

const ANSWER_MARK = '"muster_env": 1';
/** The most differences and notes that are shown. */
const MAX_SHOWN = 50;

/** Parses the answer to an inspection. */
export function parseEnvState({ stdout, stderr, error, exit }: CommandState): EnvState {
  const answer = parseAnswer(stdout);
  const link = answer?.link;
  if (answer === undefined || (link !== "missing" && link !== "foreign" && link !== "ours")) {
    const reason = textOf(answer?.reason) ?? error ?? stderr?.trim().split("\n").at(-1);
    return { error: reason || `exit ${exit}`, problems: [], unchecked: [] };
  }
  const [base, marker] = [fieldsOf(answer.base), fieldsOf(answer.marker)];
  return {
    link,
    base: base && { version: textOf(base.version) ?? "", error: textOf(base.error) ?? "" },
    marker: marker && { key: textOf(marker.key) ?? "", python: textOf(marker.python) ?? "" },
    broken: textOf(answer.broken),
    problems: listOf(answer.problems).flatMap(toDifference).slice(0, MAX_SHOWN),
    unchecked: listOf(answer.unchecked).map(String).slice(0, MAX_SHOWN),
  };
}

/** Returns the last line of an output that is an answer of the program; undefined if there is none. */
export function parseAnswer(stdout: unknown): Record<string, unknown> | undefined {
  const lines = typeof stdout === "string" ? stdout.split("\n") : [];
  const line = lines.findLast((one) => one.startsWith("{") && one.includes(ANSWER_MARK));
  try {
    return line === undefined ? undefined : fieldsOf(JSON.parse(line));
  } catch {
    return undefined;
  }
}

/** Pure: lists how an environment differs from what its request describes. */
export function diffEnv(state: EnvState, { at, key, python }: EnvRequest): Difference[] {
  const { link, base, marker, broken, problems } = state;
  if (link === undefined)
    return [{ what: at, have: `cannot be examined: ${state.error}`, want: "a Python environment" }];
  if (base?.error) return [{ what: python, have: `cannot be used: ${base.error}`, want: "a Python interpreter" }];
  if (link !== "ours") {
    const have = link === "missing" ? "missing" : "something that muster did not make";
    return [{ what: at, have, want: "a link to a Python environment" }];
  }
  if (marker === undefined) return [{ what: at, have: "incomplete", want: "a Python environment" }];
  if (broken !== undefined)
    return [{ what: at, have: `its Python does not run: ${broken}`, want: `an environment of ${python}` }];
  const found = [...problems];
  if (base !== undefined && marker.python !== base.version)
    found.unshift({ what: "python", have: marker.python || "?", want: base.version });
  // Packages say more than a hash does.
  if (marker.key !== key && found.length === 0)
    found.push({
      what: "requirements",
      have: `content ${marker.key.slice(0, 12)}`,
      want: `content ${key.slice(0, 12)}`,
    });
  return found;
}

/** Pure: notes what could not be compared. */
export function noteUnchecked({ unchecked }: EnvState): string[] {
  if (unchecked.length === 0) return [];
  const shown = unchecked.slice(0, 5).map((text) => JSON.stringify(text));
  return [
    `the version of these requirements cannot be compared: ${shown.join(", ")}${unchecked.length > 5 ? ", ..." : ""}`,
  ];
}

function toDifference(value: unknown): Difference[] {
  const fields = fieldsOf(value);
  const [what, have, want] = [textOf(fields?.what), textOf(fields?.have), textOf(fields?.want)];
  return what === undefined || have === undefined || want === undefined ? [] : [{ what, have, want }];
}

function fieldsOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
