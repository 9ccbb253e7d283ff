import { isJsonObject } from "../../../schemas/isjsonobject.js";

/** The identity of a job, of a build or of a task, as a run directory keeps it. */
export type JsonFields = Readonly<Record<string, unknown>>;

const MAX_VALUE_CHARS = 80;

/** Returns what differs between two jobs, one line each: `sample_size: 500 -> 400`. Values of `env` are hashes, and are left out. */
export function describeFieldChanges(before: JsonFields, now: JsonFields): string[] {
  const params = describeParams(before.params, now.params);
  const explained = new Set(params.map(({ was, is }) => `${was}\0${is}`));
  const others = listChangedKeys(before, now).flatMap((key) => {
    const [was, is] = [before[key], now[key]];
    if (key === "params") return [];
    if (key === "env" && isJsonObject(was) && isJsonObject(is))
      return listChangedKeys(was, is).map((name) => `env: ${name} ${describePresence(was[name], is[name])}`);
    if (key === "tasks" && Array.isArray(was) && Array.isArray(is)) return describeTasks(was, is);
    if (key === "args" && Array.isArray(was) && Array.isArray(is)) return describeArgs(was, is, explained);
    return formatChange(key, was, is);
  });
  return [...params.map(({ name, was, is }) => `${name}: ${was} -> ${is}`), ...others];
}

/** Returns the keys whose values differ, those of `before` first. */
export function listChangedKeys(before: JsonFields, now: JsonFields): string[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return keys.filter((key) => toJson(before[key]) !== toJson(now[key]));
}

/** `params` are pairs of names and texts. */
function describeParams(before: unknown, now: unknown): { name: string; was: string; is: string }[] {
  const [was, is] = [before, now].map((list) => (Array.isArray(list) ? Object.fromEntries(list) : {})) as [
    JsonFields,
    JsonFields,
  ];
  return listChangedKeys(was, is).map((name) => ({ name, was: toText(was[name]), is: toText(is[name]) }));
}

/** Compares tasks by their ids. */
function describeTasks(before: JsonFields[], now: JsonFields[]): string[] {
  const [was, is] = [before, now].map((tasks) => new Map(tasks.map((task) => [`${task.id}`, task]))) as [
    Map<string, JsonFields>,
    Map<string, JsonFields>,
  ];
  const ids = [...new Set([...was.keys(), ...is.keys()])];
  const changed = ids.flatMap((id) => {
    const [one, other] = [was.get(id), is.get(id)];
    if (one === undefined || other === undefined) return [`tasks: ${id} ${describePresence(one, other)}`];
    return describeFieldChanges(one, other).map((line) => `tasks: ${id}: ${line}`);
  });
  return changed.length > 0 ? changed : ["tasks: their order has changed"];
}

/** Describes only the arguments that differ, each with the option before it. `explained`: pairs that changed parameters explain. */
function describeArgs(before: unknown[], now: unknown[], explained: ReadonlySet<string>): string[] {
  const [was, is] = [before.map(renderArgument), now.map(renderArgument)];
  if (was.length !== is.length) return formatChange("args", was.join(" "), is.join(" "));
  return was.flatMap((one, index) => {
    const other = is[index]!;
    if (one === other || explained.has(`${toText(one)}\0${toText(other)}`)) return [];
    const option = index > 0 && was[index - 1]!.startsWith("-") ? `args: ${was[index - 1]}` : "args";
    return formatChange(option, one, other);
  });
}

/** Returns an argument as a job file writes it: literal text, and placeholders in braces. */
function renderArgument(template: unknown): string {
  if (!Array.isArray(template)) return toText(template);
  return template.map((piece) => (isJsonObject(piece) ? `{${piece.name}}` : `${piece}`)).join("");
}

function describePresence(was: unknown, is: unknown): string {
  if (was === undefined) return "is new";
  return is === undefined ? "is gone" : "differs";
}

function formatChange(key: string, before: unknown, now: unknown): string[] {
  const [was, is] = [toText(before), toText(now)];
  return [was === is ? `${key} differs` : `${key}: ${was} -> ${is}`];
}

function toJson(value: unknown): string {
  return JSON.stringify(value) ?? "nothing";
}

function toText(value: unknown): string {
  if (value === undefined) return "nothing";
  const isList = Array.isArray(value) && value.every((one) => typeof one !== "object");
  const text = typeof value === "string" ? value : isList ? `[${value.join(", ")}]` : JSON.stringify(value);
  if (text === "") return '""';
  return text.length > MAX_VALUE_CHARS ? `${text.slice(0, MAX_VALUE_CHARS - 3)}...` : text;
}
