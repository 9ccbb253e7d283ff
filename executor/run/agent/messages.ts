import { isAgentMessage } from "../../../schemas/protocolvalidators.js";
import type { AgentMessage } from "./protocol.js";

/** Brackets within brackets. The deepest message of the agent has four levels. */
const MAX_NESTING = 8;

/** The message on a line of an agent; undefined where the line does not match schemas/protocol.json. A node may send anything. */
export function parseMessage(text: string): AgentMessage | undefined {
  // JSON.parse is recursive, so this comes first.
  if (nestingOf(text) > MAX_NESTING) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isAgentMessage(value) ? value : undefined;
}

/** How many brackets are open at once in a JSON text, at most. Brackets in strings do not count. */
function nestingOf(text: string): number {
  let [open, deepest] = [0, 0];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) at = endOfString(text, at);
    else if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++open);
    else if (code === 0x5d || code === 0x7d) open--;
  }
  return deepest;
}

/** The index of the quote that ends the string which begins at `start`; the text's length where none does. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}
