import { createHmac, randomBytes } from "node:crypto";
import { isJsonObject } from "../../../schemas/isjsonobject.js";
import type { Job } from "../../job/job.js";
import type { JournalEntry } from "./journalentry.js";

type IdentityEntry = Extract<JournalEntry, { e: "run" }>;
type JsonFields = Record<string, unknown>;

/** Returns a random salt for the hashes of one run directory. */
export function generateSalt(): string {
  return randomBytes(16).toString("hex");
}

/** Returns the identity of a job for its journal: every value of `env` is replaced by a salted hash (HMAC-SHA256). */
export function hashEnvValues(identity: string, salt: string): string {
  // Skips the work for long lists of tasks without an environment.
  if (!identity.includes('"env":{"')) return identity;
  const hashes = new Map<string, string>();
  const hash = (name: string, value: string) => {
    const key = JSON.stringify([name, value]);
    const known = hashes.get(key) ?? createHmac("sha256", salt).update(key).digest("hex").slice(0, 32);
    hashes.set(key, known);
    return known;
  };
  const hidden = (fields: JsonFields): JsonFields => {
    if (!isJsonObject(fields.env)) return fields;
    return { ...fields, env: mapFields(fields.env, (name, value) => hash(name, `${value}`)) };
  };
  const { tasks, ...job } = JSON.parse(identity) as JsonFields;
  const build = isJsonObject(job.build) ? { build: hidden(job.build) } : {};
  return JSON.stringify({ ...hidden(job), ...build, ...(Array.isArray(tasks) ? { tasks: tasks.map(hidden) } : {}) });
}

/** Returns what differs between the job of a run directory and the job to run in it, one line each, without values of `env`. */
export function findIdentityChanges(run: IdentityEntry, job: Job, inputs: Record<string, string>): string[] {
  // Older journals have no salt, and contain the values themselves.
  const now = run.salt === undefined ? job.identity : hashEnvValues(job.identity, run.salt);
  const changed = run.identity === now ? [] : changedFields(JSON.parse(run.identity), JSON.parse(now));
  return [...changed, ...changedInputs(run.inputs, inputs)];
}

function changedFields(before: JsonFields, now: JsonFields): string[] {
  return changedKeys(before, now).flatMap((key) => {
    const [was, is] = [before[key], now[key]];
    if (key === "env" && isJsonObject(was) && isJsonObject(is))
      return changedKeys(was, is).map((name) => `env: ${name} ${describeChange(was[name], is[name])}`);
    if (key === "tasks" && Array.isArray(was) && Array.isArray(is)) return changedTasks(was, is);
    return formatFieldChange(key, was, is);
  });
}

/** Compares tasks by their ids. */
function changedTasks(before: JsonFields[], now: JsonFields[]): string[] {
  const [was, is] = [before, now].map((tasks) => new Map(tasks.map((task) => [`${task.id}`, task]))) as [
    Map<string, JsonFields>,
    Map<string, JsonFields>,
  ];
  const ids = [...new Set([...was.keys(), ...is.keys()])];
  const changed = ids.flatMap((id) => {
    const [one, other] = [was.get(id), is.get(id)];
    if (one === undefined || other === undefined) return [`tasks: ${id} ${describeChange(one, other)}`];
    return changedFields(one, other).map((line) => `tasks: ${id}: ${line}`);
  });
  return changed.length > 0 ? changed : ["tasks: their order has changed"];
}

function changedInputs(before: Record<string, string>, now: Record<string, string>): string[] {
  return changedKeys(before, now)
    .sort()
    .map((path) => `${path}: its content has changed`);
}

function changedKeys(before: JsonFields, now: JsonFields): string[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return keys.filter((key) => toJson(before[key]) !== toJson(now[key]));
}

function describeChange(was: unknown, is: unknown): string {
  if (was === undefined) return "is new";
  return is === undefined ? "is gone" : "differs";
}

function formatFieldChange(key: string, before: unknown, now: unknown): string {
  const [was, is] = [toShortJson(before), toShortJson(now)];
  return was === is ? `${key} differs` : `${key}: was ${was}, is now ${is}`;
}

function mapFields(fields: JsonFields, to: (key: string, value: unknown) => unknown): JsonFields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, to(key, value)]));
}

function toJson(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}

function toShortJson(value: unknown): string {
  const whole = toJson(value);
  return whole.length > 80 ? `${whole.slice(0, 77)}...` : whole;
}
