import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv, type FuncKeywordDefinition, type ValidateFunction } from "ajv";
import { projectRoot } from "../templates/templates.js";
import type { Problem } from "./errors.js";
import { explain, inFileOrder, isWhole } from "./explain.js";
import { parseQuantity } from "./quantity.js";
import type { Source } from "./source.js";

export type SchemaName = "inventory" | "job" | "jobs-file" | "pipeline";

/** What each of this project's own keywords demands; ajv sees only whether it holds. */
const KEYWORDS: Record<string, (wanted: unknown, data: unknown) => boolean> = {
  scalar: (_, data) => ["string", "number", "bigint", "boolean"].includes(typeof data),
  whole: (wanted, data) => isWhole(data) && data >= (wanted as { minimum: number }).minimum,
  quantity: (wanted, data) => parseQuantity(wanted, data).ok,
};

/** Everything in `source` that the schema does not allow, in file order. Empty when it is sound. */
export function check(source: Source, schema: SchemaName): Problem[] {
  const validate = compile(schema);
  if (validate(source.value)) return [];
  const problems = (validate.errors ?? []).filter(
    (error) => error.keyword !== "if" && error.keyword !== "propertyNames",
  );
  return inFileOrder(problems.map((error) => explain(error, source)));
}

/** The schema file as it is. */
export function readSchema(schema: SchemaName): Record<string, unknown> {
  return JSON.parse(readFileSync(join(projectRoot(), "schemas", `${schema}.json`), "utf8"));
}

function compile(schema: SchemaName): ValidateFunction {
  const ajv = new Ajv({
    allErrors: true,
    strict: true,
    strictRequired: false,
    allowUnionTypes: true,
    verbose: true,
    logger: false,
    ownProperties: true,
    // Schemas are this project's own, sound by test: judging and optimizing them would take longer than using them does.
    meta: false,
    validateSchema: false,
    code: { optimize: false },
  });
  ajv.addVocabulary(["tsType", "errorMessage"]);
  for (const [keyword, holds] of Object.entries(KEYWORDS)) ajv.addKeyword(keywordOf(keyword, holds));
  return ajv.compile(readSchema(schema));
}

function keywordOf(keyword: string, holds: (wanted: unknown, data: unknown) => boolean): FuncKeywordDefinition {
  return { keyword, errors: false, validate: holds };
}
