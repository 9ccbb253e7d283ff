/**
 * Compiles the schemas into validators, dist/schemas/validators/NAME.cjs. This is part of the build, because at run time it would take
 * longer than everything else that a short command does.
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
// Keywords without a check: for the type generator, and for messages.
ajv.addVocabulary(["tsType", "errorMessage"]);
for (const keyword of ["scalar", "whole", "quantity"]) ajv.addKeyword(own(keyword));

/** Defines one of muster's own keywords. Its check is a method of the `this` that the validator is called with. */
function own(keyword: string): CodeKeywordDefinition {
  return { keyword, code: (context) => context.pass(_`this[${keyword}](${context.schemaValue}, ${context.data})`) };
}

const folder = new URL("validators/", import.meta.url);
mkdirSync(folder, { recursive: true });
for (const name of SCHEMAS)
  writeFileSync(new URL(`${name}.cjs`, folder), standalone.default(ajv, ajv.compile(readSchema(name))));
