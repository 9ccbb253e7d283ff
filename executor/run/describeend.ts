import type { Attempt } from "../schedule/events.js";
import { findSlotProfile } from "../schedule/slots/gpukinds.js";
import type { DoneMessage } from "./agent/protocol.js";
import type { NodeWorker } from "./node/nodeworker.js";
import type { EndedAttempt } from "./results/collector.js";

/** Returns what the collector has to know of an attempt that has ended on its node. */
export function describeEnd(worker: NodeWorker, attempt: Attempt, done: DoneMessage): EndedAttempt {
  const { resultSource: source, fingerprint } = worker;
  return { attempt, done, source, fingerprint, model: findSlotProfile(worker, attempt.slot)?.model };
}
