import { createRequire } from "node:module";
import type { Problem } from "./errors.js";
import { parseQuantity } from "./quantity.js";
import { type SchemaName, validatorFile } from "./schema.js";
import type { Source } from "./source.js";
import { explainViolation, isExactInteger, sortProblems, type Violation } from "./violations.js";

/** The checks of muster's own schema keywords: whether `data` is valid under the keyword's value. */
const keywords = {
  scalar: (_: unknown, data: unknown) => ["string", "number", "bigint", "boolean"].includes(typeof data),
  whole: (wanted: { minimum: number }, data: unknown) => isExactInteger(data) && data >= wanted.minimum,
  quantity: (wanted: unknown, data: unknown) => parseQuantity(wanted, data).ok,
};

/** A validator that `compile.ts` has compiled from a schema. */
interface Validator {
  call(self: typeof keywords, data: unknown): boolean;
  errors?: Violation[] | null;
}

const require = createRequire(import.meta.url);

/** Validates a source against a schema. Returns all problems in file order; an empty list if it is valid. */
export function checkSchema(source: Source, schema: SchemaName): Problem[] {
  const validate: Validator = require(validatorFile(schema));
  if (validate.call(keywords, source.value)) return [];
  const problems = (validate.errors ?? []).filter(
    (error) => error.keyword !== "if" && error.keyword !== "propertyNames",
  );
  return sortProblems(problems.map((error) => explainViolation(error, source)));
}
