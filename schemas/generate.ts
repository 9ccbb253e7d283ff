import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { compile } from "json-schema-to-typescript";
import { projectRoot } from "../templates/programfolder.js";
import { type ProtocolSchema, protocolReference, protocolTypes } from "./protocolgenerator.js";
import { reference } from "./reference.js";
import { PROTOCOL_SCHEMA, readSchema, SCHEMAS, type SchemaName } from "./schema.js";

const BANNER = "// Generated from schemas/*.json by `npm run generate`; changes belong there.\n";

/** Returns the generated files: path relative to the project's folder -> content. */
export async function generated(): Promise<Record<string, string>> {
  const types: string[] = [];
  for (const name of SCHEMAS) types.push(await typesOf(name));
  const protocol = readSchema(PROTOCOL_SCHEMA) as unknown as ProtocolSchema;
  return {
    "schemas/types.ts": `${BANNER}\n${types.join("\n")}`,
    "schemas/protocoltypes.ts": `${BANNER}\n${protocolTypes(protocol)}`,
    "docs/reference.md": reference(SCHEMAS.map(readSchema)),
    "docs/protocol.md": protocolReference(protocol),
  };
}

async function typesOf(name: SchemaName): Promise<string> {
  const schema = readSchema(name);
  // The conditions on `kind` would make every type a union of unions; the keys that they concern are optional anyway.
  const { allOf: _, ...plain } = schema;
  return compile(plain, String(schema.title), {
    bannerComment: "",
    additionalProperties: false,
    format: true,
    unreachableDefinitions: false,
    ignoreMinAndMaxItems: true,
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  for (const [path, content] of Object.entries(await generated())) writeFileSync(join(projectRoot(), path), content);
}
