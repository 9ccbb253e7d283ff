import type { Test } from "tap";
import type { AttemptSpec } from "../../executor/run/agent/protocol.js";
import { type AgentAttachment, attachAgent, decodeInline } from "./agentdriver.js";

/** Returns a spec of a Python worker that runs `body` for each chunk, after `loading`. */
export function worker(
  body: string,
  { loading = "", warm = {} }: { loading?: string; warm?: AttemptSpec["warm"] } = {},
) {
  const script = `
import muster, os, subprocess, sys, threading, time
${loading}
for chunk in muster.chunks():
    word = chunk.args[0] if chunk.args else ""
${body.replaceAll(/^/gm, "    ")}
`;
  return { argv: ["python3", "-c", script], outputs: ["out"], warm, timeout: 30 };
}

/** A worker writes its process id into `out`. */
export const WRITE_PID = 'chunk.write("out", b"%d" % os.getpid())';

async function runChunk(attachment: AgentAttachment, id: string, spec: Partial<AttemptSpec>, args: string[] = []) {
  attachment.start(id, spec, args);
  const done = await attachment.waitForDone(id);
  attachment.send({ op: "ack", ids: [id] });
  return {
    done,
    output: decodeInline(done.outputs[0]),
    stdout: decodeInline(done.stdout),
    stderr: decodeInline(done.stderr),
  };
}

/** Attaches an agent with one slot; `run` runs a chunk there and acknowledges its result. */
export async function attachWarm(t: Test, settings: Parameters<typeof attachAgent>[1] = {}) {
  const attached = await attachAgent(t, settings);
  const run = (id: string, spec: Partial<AttemptSpec>, args?: string[]) =>
    runChunk(attached.attachment, id, spec, args);
  return { ...attached, run };
}
