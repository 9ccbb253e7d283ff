import { suggest } from "../../schemas/suggest.js";
import type { Difference, Probe, Resource } from "./resource.js";

/** What is wrong with a value of an author's playbook, and a hint. */
export interface ResourceProblem {
  message: string;
  hint?: string;
}

/** Whether a value is right, and what it should be, as in "must be text". */
interface Rule {
  accepts(value: unknown): boolean;
  wanted: string;
}

const isText = (value: unknown) => typeof value === "string" && value !== "";
const isList = (value: unknown): value is unknown[] => Array.isArray(value);
const TEXT: Rule = { accepts: isText, wanted: "text" };
const TEXTS: Rule = {
  accepts: (value) => isList(value) && value.every((one) => typeof one === "string"),
  wanted: "a list of texts",
};
const ARGV: Rule = {
  accepts: (value) => TEXTS.accepts(value) && isText((value as string[])[0]),
  wanted: "a list of texts, the program first",
};
const NUMBER: Rule = { accepts: (value) => typeof value === "number" && value >= 0, wanted: "a number, 0 or more" };
const FLAG: Rule = { accepts: (value) => typeof value === "boolean", wanted: "true or false" };
const FUNCTION: Rule = { accepts: (value) => typeof value === "function", wanted: "a function" };
const OBJECT: Rule = {
  accepts: (value) => typeof value === "object" && value !== null && !isList(value),
  wanted: "an object",
};
const optional = ({ accepts, wanted }: Rule): Rule => ({
  accepts: (value) => value === undefined || accepts(value),
  wanted,
});

const RESOURCE_RULES: Readonly<Record<keyof Resource, Rule>> = {
  name: TEXT,
  probe: OBJECT,
  diff: FUNCTION,
  change: optional(FUNCTION),
  after: optional(TEXTS),
  followUp: optional(FUNCTION),
  notify: optional({
    accepts: (value) => isText(value) || TEXTS.accepts(value),
    wanted: "the name of a handler, or a list of names",
  }),
  notes: optional(FUNCTION),
  reboot: optional(FLAG),
  idle: optional(FUNCTION),
};

type RulesOf<Kind extends Probe["ask"]> = Readonly<Record<Exclude<keyof Extract<Probe, { ask: Kind }>, "ask">, Rule>>;

const PROBE_RULES: { readonly [Kind in Probe["ask"]]: RulesOf<Kind> } = {
  file: { path: TEXT, cap: NUMBER, known: optional(TEXT), become: optional(FLAG) },
  tree: { path: TEXT, cap: optional(NUMBER), known: optional(OBJECT), become: optional(FLAG) },
  command: { argv: ARGV, timeout: NUMBER, become: optional(FLAG) },
  modules: { python: TEXT, modules: TEXTS },
  space: { path: TEXT },
  access: { path: TEXT, exclusive: optional(FLAG) },
  all: { of: { accepts: isList, wanted: "a list of probes" } },
};

const DIFFERENCE_RULES: Readonly<Record<keyof Difference, Rule>> = {
  what: TEXT,
  have: { accepts: (value) => typeof value === "string", wanted: "text" },
  want: { accepts: (value) => typeof value === "string", wanted: "text" },
  diff: optional({ accepts: (value) => typeof value === "string", wanted: "text" }),
  secret: optional(FLAG),
};

/** Pure: returns what is wrong with what a playbook has yielded; undefined if it is a resource. */
export function findResourceProblem(value: unknown): ResourceProblem | undefined {
  if (!OBJECT.accepts(value)) return { message: `a resource must be an object, not ${describe(value)}` };
  const { name, probe } = value as Partial<Resource>;
  const what = isText(name) ? `the resource "${name}"` : "a resource";
  return findProblem(value as object, RESOURCE_RULES, what) ?? findProbeProblem(probe, `the probe of ${what}`);
}

function findProbeProblem(probe: unknown, what: string): ResourceProblem | undefined {
  if (!OBJECT.accepts(probe)) return { message: `${what} must be an object, not ${describe(probe)}` };
  const { ask, ...fields } = probe as { ask?: unknown; of?: unknown };
  if (typeof ask !== "string" || !Object.hasOwn(PROBE_RULES, ask))
    return {
      message: `${what} asks for ${describe(ask)}, which muster does not know`,
      hint: suggest(String(ask), Object.keys(PROBE_RULES)),
    };
  const problem = findProblem(fields, PROBE_RULES[ask as Probe["ask"]], `${what} (ask: "${ask}")`);
  if (problem !== undefined || ask !== "all") return problem;
  const parts = fields.of as { ask?: unknown }[];
  if (parts.some((part) => part?.ask === "all")) return { message: `${what} has an "all" within an "all"` };
  return parts.map((part) => findProbeProblem(part, what)).find((one) => one !== undefined);
}

/** Pure: returns what is wrong with the result of `diff`; undefined if it is a list of differences. */
export function findDiffProblem(result: unknown, name: string): ResourceProblem | undefined {
  const what = `diff of the resource "${name}"`;
  if (result instanceof Promise)
    return { message: `${what} returned a promise`, hint: "It is pure and not async: `probe` asks the node." };
  if (!isList(result))
    return { message: `${what} must return a list of differences, not ${describe(result)}`, hint: "In sync is []." };
  return result
    .map((one) =>
      OBJECT.accepts(one)
        ? findProblem(one as object, DIFFERENCE_RULES, `a difference of the resource "${name}"`)
        : { message: `${what} must list objects {what, have, want}, not ${describe(one)}` },
    )
    .find((one) => one !== undefined);
}

/** Pure: returns what is wrong with the result of `notes`; undefined if it is a list of texts. */
export function findNotesProblem(result: unknown, name: string): ResourceProblem | undefined {
  if (TEXTS.accepts(result)) return undefined;
  return { message: `notes of the resource "${name}" must return a list of texts, not ${describe(result)}` };
}

function findProblem(value: object, rules: Readonly<Record<string, Rule>>, what: string): ResourceProblem | undefined {
  const keys = Object.keys(rules);
  // An instance of a class may have fields of its own.
  const unknown =
    Object.getPrototypeOf(value) === Object.prototype
      ? Object.keys(value).find((key) => !keys.includes(key))
      : undefined;
  if (unknown !== undefined)
    return { message: `${what} has an unknown key "${unknown}"`, hint: suggest(unknown, keys) };
  const wrong = keys.find((key) => !rules[key]!.accepts((value as Record<string, unknown>)[key]));
  if (wrong === undefined) return undefined;
  const found = (value as Record<string, unknown>)[wrong];
  if (found === undefined)
    return { message: `${what} has no ${wrong}`, hint: `\`${wrong}\` must be ${rules[wrong]!.wanted}.` };
  return { message: `${wrong} of ${what} must be ${rules[wrong]!.wanted}, not ${describe(found)}` };
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (typeof value === "string") return JSON.stringify(value.slice(0, 60));
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (value instanceof Promise) return "a promise";
  return isList(value) ? "a list" : typeof value === "function" ? "a function" : `an ${typeof value}`;
}
