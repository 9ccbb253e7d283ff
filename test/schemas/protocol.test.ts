import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { ProtocolSchema } from "../../schemas/protocolgenerator.js";
import { PROTOCOL_VERSION } from "../../schemas/protocoltypes.js";
import { isAgentCommand, isAgentMessage } from "../../schemas/protocolvalidators.js";
import { PROTOCOL_SCHEMA, readSchema } from "../../schemas/schema.js";
import { projectRoot } from "../../templates/programfolder.js";

const schema = readSchema(PROTOCOL_SCHEMA) as unknown as ProtocolSchema;
const commands = readFileSync(join(projectRoot(), "templates/muster_agent/commands.py"), "utf8");

t.test("the examples are valid, and invalid without any of their required fields", async (t) => {
  for (const example of schema.examples as Record<string, unknown>[]) {
    const isValid = example.op === undefined ? isAgentMessage : isAgentCommand;
    const name = example.op === undefined ? `ev_${example.ev}` : `op_${example.op}`;
    t.ok(isValid(example), name);
    const definition = Object.values(schema.definitions).find(({ properties }) =>
      [properties?.op?.const, properties?.ev?.const].includes((example.op ?? example.ev) as string),
    );
    for (const field of definition!.required!) t.notOk(isValid({ ...example, [field]: undefined }), `${name}.${field}`);
  }
});

t.test("the frozen messages are those of version 2", async (t) => {
  const frozen = (name: string) => {
    const { frozen: fields, required, properties } = schema.definitions[name]!;
    return fields!.map((field) => [field, required!.includes(field), properties![field]!.$ref ?? properties![field]]);
  };
  t.same(frozen("StopCommand"), [["op", true, { const: "stop" }]]);
  t.match(frozen("HelloMessage"), [
    ["ev", true, { const: "hello" }],
    ["muster", true, "#/definitions/count"],
    ["boot", true, "#/definitions/name"],
    ["pid", true, "#/definitions/count"],
    ["started", true, "#/definitions/amount"],
    ["root", true, "#/definitions/path"],
    ["held", true, { type: "array" }],
  ]);
  t.match(frozen("ByeMessage"), [
    ["ev", true, { const: "bye" }],
    ["left", false, "#/definitions/text"],
  ]);
});

t.test("the agent executes the commands of the schema, and has its version", async (t) => {
  const ops = Object.values(schema.definitions).flatMap(({ properties }) => properties?.op?.const ?? []);
  t.same([...commands.matchAll(/def do_(\w+)/g)].map((match) => match[1]).sort(), ops.sort());
  t.equal(Number(/^PROTOCOL_VERSION = (\d+)/m.exec(commands)?.[1]), PROTOCOL_VERSION);
});

t.test("every definition and every field has a description", async (t) => {
  for (const [name, { title, description, properties }] of Object.entries(schema.definitions)) {
    if (title !== undefined) t.ok(description, name);
    for (const [field, property] of Object.entries(properties ?? {})) {
      const target = schema.definitions[property.$ref?.slice("#/definitions/".length) ?? ""];
      t.ok(property.description ?? target?.description ?? property.const, `${name}.${field}`);
    }
  }
});
