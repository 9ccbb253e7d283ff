import type { AgentChannel } from "../agent/agentchannel.js";

/** Of one message: lines of an agent channel should be short, so that pings do not wait for long. */
const PIECE_BYTES = 192 << 10;

/** Sends the content of a file over the channel, no faster than the node reads it. */
export async function sendContent(agent: AgentChannel, sha256: string, bytes: Buffer): Promise<void> {
  let offset = 0;
  do {
    const data = bytes.subarray(offset, offset + PIECE_BYTES).toString("base64");
    const more = offset + PIECE_BYTES < bytes.length;
    agent.send({ op: "put", sha256, data, ...(offset > 0 ? { offset } : {}), ...(more ? { more } : {}) });
    offset += PIECE_BYTES;
    await agent.drained();
  } while (offset < bytes.length);
}
