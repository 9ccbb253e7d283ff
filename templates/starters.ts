import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "./programfolder.js";

/** Kinds of job that there is a starter of, with a small script. */
export const STARTER_KINDS = ["range", "tasks", "matrix", "shards", "queue"] as const;
export type StarterKind = (typeof STARTER_KINDS)[number];

/** The kinds of file that muster has a schema of, and that `muster init` writes. */
export type StarterFile = "inventory" | "job" | "pipeline";

/** The path of the schema of a kind of file, for editors. */
export function findSchema(kind: StarterFile): string {
  return join(projectRoot(), "schemas", `${kind}.json`);
}

/** Returns the text of a job of this kind. `file`: what it will be called. */
export function readJobStarter(kind: StarterKind, values: { name: string; script: string; file: string }): string {
  return fill(`${kind}.yaml`, "job", { NAME: values.name, SCRIPT: values.script, FILE: values.file });
}

/** Returns the script that the starter of a job runs: tasks of a list and of a queue have the same one. */
export function readScriptStarter(kind: StarterKind): string {
  return readStarter(`${kind === "queue" ? "tasks" : kind}.py`);
}

/** Returns the text of a pipeline whose first step is a job of kind `range`. */
export function readPipelineStarter(values: { name: string; job: string; file: string }): string {
  return fill("pipeline.yaml", "pipeline", { NAME: values.name, JOB: values.job, FILE: values.file });
}

/** Returns the text of a playbook of this name. */
export function readPlaybookStarter(name: string): string {
  return readStarter("playbook.ts.txt").replace(/\bNAME\b/g, name);
}

/** Returns the configuration of the compiler and of editors for a folder of playbooks. */
export function readPlaybookConfiguration(): string {
  return readStarter("playbook-tsconfig.jsonc");
}

function readStarter(file: string): string {
  return readFileSync(join(projectRoot(), "templates", "starters", file), "utf8");
}

function fill(name: string, schema: StarterFile, values: Record<string, string>): string {
  const filled = readStarter(name).replace(/\b(?:NAME|SCRIPT|JOB|FILE)\b/g, (word) => values[word] ?? word);
  return `# yaml-language-server: $schema=${findSchema(schema)}\n${filled}`;
}
