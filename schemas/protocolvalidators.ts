import { createRequire } from "node:module";
import { isJsonObject } from "./isjsonobject.js";
import { type AgentCommand, type AgentMessage, PROTOCOL_VERSION } from "./protocoltypes.js";
import { PROTOCOL_SCHEMA, validatorFile } from "./schema.js";

type Validate = (value: unknown) => boolean;

/** What `compile.ts` makes of schemas/protocol.json. */
const validators: Record<string, Validate> = createRequire(import.meta.url)(validatorFile(PROTOCOL_SCHEMA));
const commands = withPrefix("op_");
const messages = withPrefix("ev_");
const frozenHello = validators.frozenHello!;

/**
 * Whether a parsed line is a message of an agent. Of a `hello` of another version only the frozen fields are checked: the agent
 * that sent it can be stopped, but not understood.
 */
export function isAgentMessage(value: unknown): value is AgentMessage {
  if (!isJsonObject(value)) return false;
  if (value.ev === "hello" && value.muster !== PROTOCOL_VERSION) return frozenHello(value);
  return messages.get(value.ev)?.(value) ?? false;
}

/** Whether a value is a command that the schema allows. */
export function isAgentCommand(value: unknown): value is AgentCommand {
  return isJsonObject(value) && (commands.get(value.op)?.(value) ?? false);
}

/** Validators by the value of `op` or `ev`. */
function withPrefix(prefix: string): ReadonlyMap<unknown, Validate> {
  const found = Object.entries(validators).filter(([name]) => name.startsWith(prefix));
  return new Map(found.map(([name, validate]) => [name.slice(prefix.length), validate]));
}
