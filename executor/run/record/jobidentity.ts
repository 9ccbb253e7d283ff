import { createHmac, randomBytes } from "node:crypto";
import { isJsonObject } from "../../../schemas/isjsonobject.js";
import type { Job } from "../../job/job.js";
import { describeFieldChanges, type JsonFields, listChangedKeys } from "./fieldchanges.js";
import type { JournalEntry } from "./journalentry.js";

type IdentityEntry = Extract<JournalEntry, { e: "run" }>;

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
  const changed = run.identity === now ? [] : describeFieldChanges(JSON.parse(run.identity), JSON.parse(now));
  return [...changed, ...describeInputs(run.inputs, inputs)];
}

function describeInputs(before: Record<string, string>, now: Record<string, string>): string[] {
  return listChangedKeys(before, now)
    .sort()
    .map((path) => `${path}: its content has changed`);
}

function mapFields(fields: JsonFields, to: (key: string, value: unknown) => unknown): JsonFields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, to(key, value)]));
}
