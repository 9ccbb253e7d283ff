/** Parses the YAML file that it is given, by the yaml package alone: what bench/tasks.ts compares with. */
import { readFileSync } from "node:fs";
import { parseDocument } from "yaml";

const { errors } = parseDocument(readFileSync(process.argv[2]!, "utf8"), { intAsBigInt: true, uniqueKeys: false });
process.exitCode = errors.length === 0 ? 0 : 1;
