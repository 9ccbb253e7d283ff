import { readFileSync } from "node:fs";
import { join } from "node:path";
import { programFolder, projectRoot } from "../templates/programfolder.js";

export const SCHEMAS = ["inventory", "job", "jobs-file", "pipeline"] as const;
export type SchemaName = (typeof SCHEMAS)[number];
/** The schema of the messages between coordinator and agent; it describes no file. */
export const PROTOCOL_SCHEMA = "protocol";

/** The module with the validators that `compile.ts` makes of a schema. */
export function validatorFile(schema: SchemaName | typeof PROTOCOL_SCHEMA): string {
  return join(programFolder(), "schemas", "validators", `${schema}.cjs`);
}

/** Reads and parses the JSON file of a schema. */
export function readSchema(schema: SchemaName | typeof PROTOCOL_SCHEMA): Record<string, unknown> {
  return JSON.parse(readFileSync(join(projectRoot(), "schemas", `${schema}.json`), "utf8"));
}
