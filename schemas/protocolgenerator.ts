/** Makes TypeScript types and the reference docs/protocol.md of schemas/protocol.json. */

interface ProtocolDefinition {
  title?: string;
  description?: string;
  $ref?: string;
  type?: string | string[];
  const?: string;
  enum?: string[];
  pattern?: string;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  items?: ProtocolDefinition | ProtocolDefinition[];
  oneOf?: ProtocolDefinition[];
  anyOf?: ProtocolDefinition[];
  properties?: Record<string, ProtocolDefinition>;
  additionalProperties?: ProtocolDefinition;
  required?: string[];
  frozen?: string[];
  tsType?: string;
}

export interface ProtocolSchema extends ProtocolDefinition {
  version: number;
  examples: object[];
  definitions: Record<string, ProtocolDefinition>;
}

/** The definitions whose names begin with a capital become types; those of simple values are written out where they are used. */
export function protocolTypes({ version, definitions }: ProtocolSchema): string {
  const types = Object.values(definitions).filter(({ title }) => title !== undefined);
  return [
    "/** The version of the protocol. An agent of another version is stopped. */",
    `export const PROTOCOL_VERSION = ${version};`,
    "",
    "/** Matches an attempt id: the nonce of a coordinator, a count, and a MAC. */",
    `export const ATTEMPT_ID = /${definitions.attemptId!.pattern}/;`,
    ...types.flatMap((schema) => ["", ...comment(schema, ""), ...declaration(definitions, schema)]),
    "",
  ].join("\n");
}

function declaration(definitions: Record<string, ProtocolDefinition>, schema: ProtocolDefinition): string[] {
  if (schema.oneOf === undefined)
    return [`export interface ${schema.title} {`, ...members(definitions, schema, "  "), "}"];
  const names = schema.oneOf.map((one) => resolve(definitions, one).title);
  return [`export type ${schema.title} =`, ...names.map((name) => `  | ${name}`)].map((line, at) =>
    at === names.length ? `${line};` : line,
  );
}

function members(
  definitions: Record<string, ProtocolDefinition>,
  schema: ProtocolDefinition,
  indent: string,
): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const mark = schema.required?.includes(name) ? "" : "?";
    return [
      ...comment(property, indent),
      `${indent}readonly ${name}${mark}: ${typeOf(definitions, property, indent)};`,
    ];
  });
}

function comment({ description }: ProtocolDefinition, indent: string): string[] {
  return description === undefined ? [] : [`${indent}/** ${description} */`];
}

function typeOf(definitions: Record<string, ProtocolDefinition>, property: ProtocolDefinition, indent: string): string {
  const schema = resolve(definitions, property);
  if (schema.title !== undefined) return schema.title;
  if (schema.tsType !== undefined) return schema.tsType;
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.anyOf !== undefined) return schema.anyOf.map((one) => typeOf(definitions, one, indent)).join(" | ");
  if (schema.items !== undefined && !Array.isArray(schema.items))
    return `${typeOf(definitions, schema.items, indent)}[]`;
  if (schema.additionalProperties !== undefined)
    return `Readonly<Record<string, ${typeOf(definitions, schema.additionalProperties, indent)}>>`;
  if (schema.properties !== undefined)
    return ["{", ...members(definitions, schema, `${indent}  `), `${indent}}`].join("\n");
  return [schema.type]
    .flat()
    .map((type) => (type === "integer" ? "number" : type))
    .join(" | ");
}

/** The reference for people, and for the Python side, as Markdown. */
export function protocolReference({ version, description, examples, definitions }: ProtocolSchema): string {
  const union = (name: string) => definitions[name]!.oneOf!.map((one) => resolve(definitions, one));
  const [commands, messages] = [union("AgentCommand"), union("AgentMessage")];
  const parts = Object.values(definitions).filter(
    (schema) => schema.title !== undefined && schema.oneOf === undefined && !commands.concat(messages).includes(schema),
  );
  const nameOf = ({ properties }: ProtocolDefinition) => properties!.op?.const ?? properties!.ev!.const;
  return `# The protocol between coordinator and agent

Generated from \`schemas/protocol.json\` by \`npm run generate\`; changes belong there. This is version ${version}.

    ${examples.map((example) => `${"op" in example ? ">" : "<"} ${JSON.stringify(example)}`).join("\n    ")}

\`>\` is from the coordinator, \`<\` from the agent.

${description}

A field in **bold** is always there; the others may be absent.

## From the coordinator

${commands.map((schema) => section(definitions, schema, `\`${nameOf(schema)}\``)).join("\n")}
## From the agent

${messages.map((schema) => section(definitions, schema, `\`${nameOf(schema)}\``)).join("\n")}
## Parts of messages

${parts.map((schema) => section(definitions, schema, schema.title!)).join("\n")}`;
}

function section(definitions: Record<string, ProtocolDefinition>, schema: ProtocolDefinition, heading: string): string {
  const frozen =
    schema.frozen === undefined ? "" : ` **Frozen:** ${schema.frozen.map((name) => `\`${name}\``).join(", ")}.`;
  const rows = [...fieldRows(definitions, schema, "")];
  const table = rows.length === 0 ? [] : ["", "| field | value | meaning |", "|---|---|---|", ...rows];
  return [`### ${heading}`, "", `${schema.description}${frozen}`, ...table, ""].join("\n");
}

function* fieldRows(
  definitions: Record<string, ProtocolDefinition>,
  schema: ProtocolDefinition,
  prefix: string,
): Generator<string> {
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (property.const !== undefined) continue;
    const field = `\`${prefix}${name}\``;
    const shown = schema.required?.includes(name) ? `**${field}**` : field;
    const meaning = property.description ?? resolve(definitions, property).description ?? "";
    yield `| ${shown} | ${describeValue(definitions, property)} | ${meaning} |`;
    yield* fieldRows(definitions, property, `${prefix}${name}.`);
  }
}

/** What a field may hold, in words. */
function describeValue(definitions: Record<string, ProtocolDefinition>, property: ProtocolDefinition): string {
  const schema = resolve(definitions, property);
  if (schema.title !== undefined) return `[${schema.title}](#${schema.title.toLowerCase()})`;
  if (Array.isArray(schema.items)) return `[${schema.items.map((one) => describeValue(definitions, one)).join(", ")}]`;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(", ");
  if (schema.anyOf !== undefined) return schema.anyOf.map((one) => describeValue(definitions, one)).join(" or ");
  if (schema.items !== undefined) return `list: ${describeValue(definitions, schema.items)}`;
  if (schema.additionalProperties !== undefined) return "object: text by name";
  if (schema.pattern !== undefined) return `text: \`${schema.pattern}\``;
  const words: Record<string, string> = { string: "text", object: "object", boolean: "boolean" };
  const type = [schema.type]
    .flat()
    .map((one) => words[one!] ?? one)
    .join(" or ");
  const limits = [
    schema.maxLength === undefined ? "" : `, at most ${schema.maxLength} characters`,
    schema.minimum === undefined || schema.minimum < 0 ? "" : ` >= ${schema.minimum}`,
    schema.maximum === undefined || schema.maximum > 2 ** 50 ? "" : ` and <= ${schema.maximum}`,
  ];
  return type + limits.join("");
}

function resolve(definitions: Record<string, ProtocolDefinition>, schema: ProtocolDefinition): ProtocolDefinition {
  return schema.$ref === undefined ? schema : definitions[schema.$ref.slice("#/definitions/".length)]!;
}
