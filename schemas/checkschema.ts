import { createRequire } from "node:module";
import type { Problem } from "./errors.js";
import { parseQuantity } from "./quantity.js";
import type { SchemaName } from "./schema.js";
import type { Source } from "./source.js";
import { explainViolation, isExactInteger, sortProblems, type Violation } from "./violations.js";

/** What each of this project's own keywords demands. */
const keywords = {
  scalar: (_: unknown, data: unknown) => ["string", "number", "bigint", "boolean"].includes(typeof data),
  whole: (wanted: { minimum: number }, data: unknown) => isExactInteger(data) && data >= wanted.minimum,
  quantity: (wanted: unknown, data: unknown) => parseQuantity(wanted, data).ok,
};

/** What `compile.ts` has made of a schema. */
interface Validator {
  call(self: typeof keywords, data: unknown): boolean;
  errors?: Violation[] | null;
}

const require = createRequire(import.meta.url);

/** Everything in `source` that the schema does not allow, in file order. Empty when it is sound. */
export function checkSchema(source: Source, schema: SchemaName): Problem[] {
  const validate: Validator = require(`./validators/${schema}.cjs`);
  if (validate.call(keywords, source.value)) return [];
  const problems = (validate.errors ?? []).filter(
    (error) => error.keyword !== "if" && error.keyword !== "propertyNames",
  );
  return sortProblems(problems.map((error) => explainViolation(error, source)));
}
