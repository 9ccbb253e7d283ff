import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Node } from "../../fleet/node.js";
import { MusterError } from "../../schemas/errors.js";
import { runJob } from "../run/run.js";
import type { BenchLoad } from "./benchload.js";
import { type Measurement, readMeasurement } from "./measurement.js";
import { PassObserver } from "./passobserver.js";
import { parsePinnedSlot, pinToCards } from "./pintocards.js";

/** One pass over the cards of a node. */
export interface PassRequest {
  load: BenchLoad;
  node: Node;
  slots: readonly number[];
  /** How often each card computes the load. */
  rounds: number;
  /** One card after the other, or all at once. */
  order: "alone" | "together";
  /** The run directory, which does not exist yet. */
  folder: string;
  signal: AbortSignal;
}

/** What a pass came to. `problem`: why it did not get to its end; HELD: another run has a card. */
export interface PassResult {
  measurements: Measurement[];
  failures: { slot: number; reason: string }[];
  problem?: MusterError;
}

const SAMPLE_SECONDS = 1;
/** So that cards are free soon where this coordinator is killed. */
const LEASE_SECONDS = 30;
const SILENCE_SECONDS = 20;

/**
 * Runs the load on the cards of a node, as a run with a run directory of its own: it takes the locks of the slots, and its agent looks at
 * the cards meanwhile. When `signal` aborts, what runs there is ended. Resolves also where the node cannot be used.
 */
export async function measurePass({
  load,
  node,
  slots,
  rounds,
  order,
  folder,
  signal,
}: PassRequest): Promise<PassResult> {
  const observer = new PassObserver(signal);
  const used: Node = {
    ...node,
    drain: undefined,
    maxConcurrent: order === "alone" ? 1 : undefined,
    gpuSampleSeconds: SAMPLE_SECONDS,
    leaseSeconds: LEASE_SECONDS,
    silenceSeconds: Math.min(node.silenceSeconds, SILENCE_SECONDS),
    graceSeconds: Math.min(node.graceSeconds, SILENCE_SECONDS),
  };
  try {
    await runJob(pinToCards(load, slots, rounds), [used], {
      out: folder,
      fresh: false,
      adopt: false,
      inventory: "local",
      stopSignal: observer.stopSignal,
      stopEnd: { state: "halted", halt: { reason: "bench was stopped", failures: [] } },
      isSelected: () => true,
      observer,
      ratesFile: undefined,
      verifyNode: undefined,
      healing: undefined,
    });
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    return { measurements: [], failures: [], problem: error };
  } finally {
    observer.end();
  }
  const lines = readLines(join(folder, "results.ndjson"));
  const measurements = lines.flatMap((line) => readMeasurement(line, load.units) ?? []);
  const failures = observer.failures.map(({ chunk, reason, detail, stderr }) => {
    const last = detail ?? stderr.trim().split("\n").at(-1)?.trim().slice(0, 200);
    return { slot: parsePinnedSlot(chunk), reason: last ? `${reason}: ${last}` : reason };
  });
  // Cards that are sick keep no other card from being measured.
  const sick = slots.flatMap((slot) => {
    const reason = observer.slotReasons.get(slot);
    return reason === undefined || measurements.some((one) => one.slot === slot) ? [] : [{ slot, reason }];
  });
  const problem = sick.length > 0 ? undefined : observer.problem;
  return { measurements, failures: [...failures, ...sick], ...(problem === undefined ? {} : { problem }) };
}

function readLines(file: string) {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}
