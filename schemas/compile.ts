import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { _, Ajv, type CodeKeywordDefinition } from "ajv";
import standalone from "ajv/dist/standalone/index.js";
import type { ProtocolSchema } from "./protocolgenerator.js";
import { PROTOCOL_SCHEMA, readSchema, SCHEMAS, validatorFile } from "./schema.js";

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

/**
 * Compiles the schemas into the modules that `validatorFile` names. This is part of the build, because at run time it would take longer
 * than everything else that a short command does.
 */
export function compileValidators(): void {
  mkdirSync(dirname(validatorFile(PROTOCOL_SCHEMA)), { recursive: true });
  for (const name of SCHEMAS)
    writeFileSync(validatorFile(name), standalone.default(ajv, ajv.compile(readSchema(name))));
  writeFileSync(validatorFile(PROTOCOL_SCHEMA), protocolValidators());
}

/**
 * Validators of the protocol: `op_NAME` for a command, `ev_NAME` for a message, and `frozenHello` for a `hello` of any version.
 * Each line of an agent passes through one, so they stop at the first error, and have no message for it.
 */
function protocolValidators(): string {
  const schema = readSchema(PROTOCOL_SCHEMA) as unknown as ProtocolSchema;
  const { HelloMessage, ...others } = schema.definitions;
  const FrozenHello = { type: "object", required: HelloMessage!.frozen, properties: frozenProperties(HelloMessage!) };
  const protocol = new Ajv({ strict: true, allowUnionTypes: true, messages: false, code: { source: true } });
  protocol.addVocabulary(["tsType", "frozen", "version"]);
  protocol.addSchema({ ...schema, definitions: { ...others, HelloMessage, FrozenHello } });
  const names: Record<string, string> = { frozenHello: "#/definitions/FrozenHello" };
  for (const [name, { properties }] of Object.entries(schema.definitions))
    for (const key of ["op", "ev"] as const)
      if (properties?.[key] !== undefined) names[`${key}_${properties[key].const}`] = `#/definitions/${name}`;
  const references = Object.entries(names).map(([name, pointer]) => [name, `${PROTOCOL_SCHEMA}${pointer}`]);
  return standalone.default(protocol, Object.fromEntries(references));
}

/** The frozen fields of a definition. What a list holds may differ between versions. */
function frozenProperties({ frozen, properties }: ProtocolSchema["definitions"][string]) {
  const entries = Object.entries(properties ?? {}).filter(([name]) => frozen?.includes(name));
  return Object.fromEntries(entries.map(([name, property]) => [name, property.items ? { type: "array" } : property]));
}
