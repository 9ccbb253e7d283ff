import { UsageError } from "../schemas/errors.js";
import { suggest } from "../schemas/suggest.js";
import type { RunProgressEvent } from "./progressevent.js";

/** How `run` runs a job. Relative paths start from the current folder. */
export interface RunSettings {
  /** The inventory, or `local` for this machine alone. Default: as `muster run` finds it. */
  inventory?: string;
  /** The nodes to use: names, tags or globs of the inventory. Default: all. */
  nodes?: readonly string[];
  /** How many nodes to use at most: the first of those that may run the job. Default: all. */
  maxNodes?: number;
  /** The run directory. Default: `runs/NAME` in the folder of the job. */
  out?: string;
  /** Where relative paths in a job object start. Default: the current folder. */
  folder?: string;
  /** Start a new run beside an older one, instead of resuming that. */
  fresh?: boolean;
  /** Stop the agents of another copy of the run directory, and continue under a new run id. */
  adopt?: boolean;
  /** Apply the playbooks that the job needs on nodes that have drifted. */
  provision?: boolean;
  /** Values for `params`, or other keys of the job, as `--set` takes them. */
  set?: Readonly<Record<string, string | number | boolean>>;
  /** The folder that results are published in. */
  results?: string;
  /** Files there may be replaced. */
  overwrite?: boolean;
  /** Interrupts the run as Ctrl-C does: running chunks continue on their nodes, and the next run of the job collects them. */
  signal?: AbortSignal;
  /** Is told what happens beside results. It cannot disturb the run: where it throws or rejects, `finished` rejects with that at the end. */
  onEvent?: (event: RunProgressEvent) => unknown;
}

interface Rule {
  accepts: (value: unknown) => boolean;
  wanted: string;
}

const TEXT: Rule = { accepts: (value) => typeof value === "string", wanted: "a text" };
const FLAG: Rule = { accepts: (value) => typeof value === "boolean", wanted: "true or false" };
const isPlain = (value: unknown) => ["string", "number", "boolean"].includes(typeof value);

const RULES: Readonly<Record<keyof RunSettings, Rule>> = {
  inventory: TEXT,
  nodes: {
    accepts: (value) => Array.isArray(value) && value.every((one) => typeof one === "string"),
    wanted: "a list of texts",
  },
  maxNodes: {
    accepts: (value) => Number.isInteger(value) && (value as number) >= 1,
    wanted: "a whole number of at least 1",
  },
  out: TEXT,
  folder: TEXT,
  fresh: FLAG,
  adopt: FLAG,
  provision: FLAG,
  set: {
    accepts: (value) =>
      typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every(isPlain),
    wanted: "an object of texts, numbers, true and false",
  },
  results: TEXT,
  overwrite: FLAG,
  signal: { accepts: (value) => value instanceof AbortSignal, wanted: "an AbortSignal" },
  onEvent: { accepts: (value) => typeof value === "function", wanted: "a function" },
};

/** Throws a UsageError for a setting that is unknown or wrong, because callers without types have nobody else to say it. */
export function checkRunSettings(settings: RunSettings): void {
  for (const [name, value] of Object.entries(settings)) {
    const rule = Object.hasOwn(RULES, name) ? RULES[name as keyof RunSettings] : undefined;
    if (rule === undefined)
      throw new UsageError(`run has no setting ${JSON.stringify(name)}`, suggest(name, Object.keys(RULES)));
    if (value !== undefined && !rule.accepts(value)) throw new UsageError(`${name}: it must be ${rule.wanted}`);
  }
}
