/** Parses a YAML file with the yaml package alone: the baseline of bench/tasks.ts. */
import { readFileSync } from "node:fs";
import { parseDocument } from "yaml";

const { errors } = parseDocument(readFileSync(process.argv[2]!, "utf8"), { intAsBigInt: true, uniqueKeys: false });
process.exitCode = errors.length === 0 ? 0 : 1;
