/**
 * Makes validators of the schemas, dist/schemas/validators/NAME.cjs: a part of each build, because it would take longer than all
 * else that a short command does.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { _, Ajv, type CodeKeywordDefinition } from "ajv";
import standalone from "ajv/dist/standalone/index.js";
import { readSchema, SCHEMAS } from "./schema.js";

const ajv = new Ajv({
  allErrors: true,
  strict: true,
  strictRequired: false,
  allowUnionTypes: true,
  verbose: true,
  logger: false,
  ownProperties: true,
  passContext: true,
  code: { source: true },
});
// For those who read a schema, and for messages.
ajv.addVocabulary(["tsType", "errorMessage"]);
for (const keyword of ["scalar", "whole", "quantity"]) ajv.addKeyword(own(keyword));

/** One of this project's own keywords: whoever calls the validator brings what it demands along. */
function own(keyword: string): CodeKeywordDefinition {
  return { keyword, code: (context) => context.pass(_`this[${keyword}](${context.schemaValue}, ${context.data})`) };
}

const folder = new URL("validators/", import.meta.url);
mkdirSync(folder, { recursive: true });
for (const name of SCHEMAS)
  writeFileSync(new URL(`${name}.cjs`, folder), standalone.default(ajv, ajv.compile(readSchema(name))));
