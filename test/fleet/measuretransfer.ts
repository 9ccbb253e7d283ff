/**
 * Copies one file from or to a node and prints how far the resident memory of this process grew meanwhile: its argument is a
 * Transfer as JSON, its output a Transferred. A program of its own, so that nothing else counts.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "../../fleet/connect.js";
import type { Node } from "../../fleet/node.js";

export interface TransferRequest {
  node: Node;
  direction: "download" | "upload";
  /** Copied first, to `warmUp`.copy and not measured: the code is loaded and compiled then. */
  warmUp: string;
  from: string;
  to: string;
}

export interface TransferResult {
  /** Peak of the resident memory above what it was before the transfer. */
  growthBytes: number;
  seconds: number;
}

function statusBytes(key: "VmRSS" | "VmHWM"): number {
  const [, kilobytes] = new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

const { node, direction, warmUp, from, to } = JSON.parse(process.argv[2]!) as TransferRequest;
const connection = await connect(node);
const files = await connection.files();
const copy = (source: string, target: string): Promise<unknown> =>
  direction === "download"
    ? files.download(source, target, Number.MAX_SAFE_INTEGER)
    : files.upload(source, target, 0o600);
await copy(warmUp, `${to}.warm-up`);
// Sets the peak back to what is resident now (proc(5)).
writeFileSync("/proc/self/clear_refs", "5");
const before = statusBytes("VmRSS");
const began = performance.now();
await copy(from, to);
const seconds = (performance.now() - began) / 1000;
const transferred: TransferResult = { growthBytes: statusBytes("VmHWM") - before, seconds };
process.stdout.write(JSON.stringify(transferred));
await connection.close();
