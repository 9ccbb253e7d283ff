import { createHmac, randomBytes } from "node:crypto";
import type { Job } from "../../job/job.js";
import type { Entry } from "./journal.js";

type RunEntry = Extract<Entry, { e: "run" }>;
type Fields = Record<string, unknown>;

/** A salt for the values that one run directory keeps as hashes. */
export function drawSalt(): string {
  return randomBytes(16).toString("hex");
}

/** A job's identity as a run directory keeps it: each value of `env`, of the job or of a task, is a salted hash (HMAC-SHA256). */
export function storedIdentity(identity: string, salt: string): string {
  // With many tasks and no environment the text is large, and there is nothing to hide in it.
  if (!identity.includes('"env":{"')) return identity;
  const hashes = new Map<string, string>();
  const hash = (name: string, value: string) => {
    const key = JSON.stringify([name, value]);
    const known = hashes.get(key) ?? createHmac("sha256", salt).update(key).digest("hex").slice(0, 32);
    hashes.set(key, known);
    return known;
  };
  const hidden = (fields: Fields): Fields => {
    if (!isFields(fields.env)) return fields;
    return { ...fields, env: mapped(fields.env, (name, value) => hash(name, `${value}`)) };
  };
  const { tasks, ...job } = JSON.parse(identity) as Fields;
  return JSON.stringify({ ...hidden(job), ...(Array.isArray(tasks) ? { tasks: tasks.map(hidden) } : {}) });
}

/** What differs between the job that a run directory is for and the one that is to be run in it: a line each, without values of `env`. */
export function differences(run: RunEntry, job: Job, inputs: Record<string, string>): string[] {
  // Older journals have no salt, and hold the values themselves.
  const now = run.salt === undefined ? job.identity : storedIdentity(job.identity, run.salt);
  const changed = run.identity === now ? [] : changedFields(JSON.parse(run.identity), JSON.parse(now));
  return [...changed, ...changedInputs(run.inputs, inputs)];
}

function changedFields(before: Fields, now: Fields): string[] {
  return changedKeys(before, now).flatMap((key) => {
    const [was, is] = [before[key], now[key]];
    if (key === "env" && isFields(was) && isFields(is))
      return changedKeys(was, is).map((name) => `env: ${name} ${howChanged(was[name], is[name])}`);
    if (key === "tasks" && Array.isArray(was) && Array.isArray(is)) return changedTasks(was, is);
    return shown(key, was, is);
  });
}

/** Tasks are told apart by their ids. */
function changedTasks(before: Fields[], now: Fields[]): string[] {
  const [was, is] = [before, now].map((tasks) => new Map(tasks.map((task) => [`${task.id}`, task]))) as [
    Map<string, Fields>,
    Map<string, Fields>,
  ];
  const ids = [...new Set([...was.keys(), ...is.keys()])];
  const changed = ids.flatMap((id) => {
    const [one, other] = [was.get(id), is.get(id)];
    if (one === undefined || other === undefined) return [`tasks: ${id} ${howChanged(one, other)}`];
    return changedFields(one, other).map((line) => `tasks: ${id}: ${line}`);
  });
  return changed.length > 0 ? changed : ["tasks: their order has changed"];
}

function changedInputs(before: Record<string, string>, now: Record<string, string>): string[] {
  return changedKeys(before, now)
    .sort()
    .map((path) => `${path}: its content has changed`);
}

function changedKeys(before: Fields, now: Fields): string[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return keys.filter((key) => text(before[key]) !== text(now[key]));
}

function howChanged(was: unknown, is: unknown): string {
  if (was === undefined) return "is new";
  return is === undefined ? "is gone" : "differs";
}

function shown(key: string, before: unknown, now: unknown): string {
  const [was, is] = [short(before), short(now)];
  return was === is ? `${key} differs` : `${key}: was ${was}, is now ${is}`;
}

function mapped(fields: Fields, to: (key: string, value: unknown) => unknown): Fields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, to(key, value)]));
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}

function short(value: unknown): string {
  const whole = text(value);
  return whole.length > 80 ? `${whole.slice(0, 77)}...` : whole;
}
