import { adviseOnSickGpu } from "../../fleet/gpus/gpuadvice.js";
import type { HealStep } from "../../fleet/healing/healcontext.js";
import type { Chunk } from "../job/job.js";
import type { Attempt, Failure, Instruction } from "../schedule/events.js";
import { findSlotProfile } from "../schedule/slots/gpukinds.js";
import { formatSlots } from "../schedule/slots/groupbyreason.js";
import type { DoneMessage, IdleMessage } from "./agent/protocol.js";
import type { ChunkEvents } from "./chunkevents.js";
import { describeIdleGpu } from "./describeidlegpu.js";
import { FailureHints } from "./failurehints.js";
import type { NodeWorker } from "./node/nodeworker.js";
import type { SlotEvent } from "./node/slotmonitor.js";
import type { PreemptedChunks } from "./preemptedchunks.js";
import type { RunCounters } from "./record/counters.js";
import type { EventLog } from "./record/eventlog.js";
import type { RunReplay } from "./record/replay.js";
import type { CollectorEvent } from "./results/collector.js";
import type { Rechecks } from "./results/rechecks.js";
import type { RunObserver } from "./runobserver.js";

/** Where the events of a run are recorded. */
export interface RunRecords {
  observer: RunObserver;
  chunkEvents: ChunkEvents;
  counters: RunCounters;
  eventLog: EventLog;
  rechecks: Rechecks;
  replay: Pick<RunReplay, "programs">;
  preempted: PreemptedChunks;
}

/** Counts what happens in a run, records it in the journal, and shows it. */
export class RunReports {
  private readonly hints: FailureHints;

  constructor(private readonly records: RunRecords) {
    this.hints = new FailureHints(records.counters.job);
  }

  /** Reports that the connection state of a worker has changed. */
  reportNodeState(worker: NodeWorker): void {
    this.records.eventLog.recordNodeState(worker);
    this.records.observer.nodeChanged(worker);
  }

  /** Reports that no slot can be given any of the remaining work. */
  reportStuck(reasons: readonly string[]): void {
    this.records.observer.notice(`nothing can run now:${reasons.map((reason) => `\n    ${reason}`).join("")}`);
  }

  /** Reports why no other chunk starts. */
  reportWait(reason: string): void {
    this.records.observer.notice(reason);
  }

  /** Records the file of a program in the job's directory. Warns once per node and file of one that is not as elsewhere, or as before. */
  reportProgram(worker: NodeWorker, path: string, sha256: string): void {
    const { replay, eventLog, observer } = this.records;
    const { name } = worker.node;
    const { isNew, warning } = replay.programs.compare(name, path, sha256);
    if (isNew) eventLog.recordProgram(name, path, sha256);
    if (warning !== undefined) observer.nodeWarning(worker, warning);
  }

  /** Notes that the program of an attempt was started, for the timeline. */
  noteStarted(attempt: Attempt): void {
    this.records.eventLog.noteStarted(attempt);
  }

  /** Notes that an attempt has ended, for the timeline, and whether its chunk may be preempted again. */
  noteEnded(attempt: Attempt, done: DoneMessage, isCancelling: boolean): void {
    const { counters, eventLog, preempted } = this.records;
    if (isCancelling && done.cancelled)
      counters.discardedSeconds += eventLog.recordUnneeded(attempt.node, attempt.id, "cancelled");
    else eventLog.noteEnded(attempt, done);
    if (done.preempted !== undefined) preempted.record(attempt.chunk.id, done.preempted.saved);
  }

  /** Reports that a GPU of `worker`'s node computes nothing while an attempt on it goes on. */
  reportIdleGpu(worker: NodeWorker, attempt: Attempt, { pci, seconds }: IdleMessage): void {
    this.records.eventLog.recordIdleGpu(attempt, pci, seconds);
    this.records.observer.nodeWarning(worker, describeIdleGpu(pci, seconds, attempt.chunk.id));
  }

  /** Reports that an attempt on `worker`'s node is being ended for a run of higher priority. */
  reportPreempted(worker: NodeWorker, { chunk, slot, slots }: Attempt, run: string): void {
    const place = slots === undefined ? `slot ${slot}` : formatSlots(slots);
    const text = `chunk ${chunk.id} on ${place} ends for run ${run}, which has a higher priority; it continues from its state`;
    this.records.observer.nodeWarning(worker, text);
  }

  /** Reports that an attempt is stopped because another attempt has its chunk. */
  reportSuperseded(node: string, id: string): void {
    const { counters, eventLog } = this.records;
    counters.dropped++;
    counters.discardedSeconds += eventLog.recordUnneeded(node, id, "superseded");
  }

  /** Reports a task of a queue that is cancelled. */
  reportCancelledTask({ id, start, end }: Chunk): void {
    const { counters, eventLog, chunkEvents } = this.records;
    eventLog.recordCancelledTask(id, start, end);
    counters.countCancelled();
    chunkEvents.emit("cancelled", id);
  }

  /** Reports that the result of an attempt is discarded: another attempt has its chunk, or it was only compared. */
  reportDiscarded(event: Extract<CollectorEvent, { type: "unneeded" | "dropped" | "rechecked" }>): void {
    const { counters, eventLog, observer } = this.records;
    const { attempt, seconds } = event;
    if (event.type !== "rechecked") {
      // One that is not needed was counted when it was superseded.
      if (event.type === "dropped") counters.dropped++;
      counters.discardedSeconds += seconds;
      eventLog.recordDiscarded(attempt, seconds, "superseded");
    } else {
      if (event.difference !== undefined) observer.recheckDiffered(event.difference);
      eventLog.recordDiscarded(attempt, seconds, "rechecked");
    }
  }

  /** Reports a step of the healing of `worker`'s node. */
  reportHealStep(worker: NodeWorker, step: HealStep): void {
    const { counters, eventLog, observer } = this.records;
    if (step.step === "healed" || step.step === "failed") counters.countHealing(step.node, step.step);
    eventLog.recordHealStep(step);
    observer.nodeWarning(worker, step.text);
  }

  /** Records what runs when the session ends. */
  recordSessionEnd(): void {
    this.records.eventLog.recordSessionEnd();
  }

  /** Reports an attempt that failed; its chunk may be tried again. */
  reportFailedAttempt(failure: Failure): void {
    this.recordFailedAttempt(failure);
    this.records.observer.attemptFailed(failure);
  }

  /** Counts and records an attempt that failed, without showing it. */
  recordFailedAttempt(failure: Failure): void {
    const { counters, eventLog } = this.records;
    counters.countFailedAttempt(failure);
    eventLog.recordFailedAttempt(failure);
  }

  /** Reports which keys of the job bring along what a failed attempt lacked, each once. */
  reportMissingFiles({ chunk }: Attempt, failure: Failure): void {
    const { counters, observer } = this.records;
    for (const hint of this.hints.findNew(failure, chunk.spec)) {
      counters.addHint(hint);
      observer.notice(`chunk ${failure.chunk}: ${hint}`);
    }
  }

  /** Reports a chunk that will not be tried again. */
  reportFailedChunk(failure: Failure): void {
    const { counters, eventLog, observer } = this.records;
    eventLog.recordFailedChunk(failure);
    counters.countFailedChunk(failure);
    this.records.chunkEvents.emit("failed", failure);
    observer.chunkFailed(failure);
  }

  /** Records an attempt that was cancelled or evicted and whose logs are kept; `lostLog` says why they are not. */
  recordLog({ chunk, number }: Attempt, lostLog?: string): void {
    if (chunk.firstResult === undefined) this.records.eventLog.recordLog(chunk.id, number, lostLog);
  }

  /** Reports that the logs or the state of an attempt on `worker`'s node could not be collected. */
  reportLost(
    worker: NodeWorker,
    { type, attempt, reason }: { type: "logsLost" | "stateLost"; attempt: Attempt; reason: string },
  ): void {
    const { observer } = this.records;
    const { id } = attempt.chunk;
    if (type === "stateLost")
      return observer.nodeWarning(worker, `the state of chunk ${id} could not be kept: ${reason}`);
    this.recordLog(attempt, reason);
    observer.nodeWarning(worker, `the logs of chunk ${id} are lost: ${reason}`);
  }

  /** Reports a recheck that is not possible. Shows only the first: the cause usually affects every recheck. */
  reportSkippedRecheck(failure: Failure): void {
    const { counters, rechecks, observer } = this.records;
    rechecks.recordSkipped(failure, counters);
    if (counters.skippedRechecks === 1)
      observer.notice(`recheck: chunk ${failure.chunk} is not computed again: ${failure.reason}`);
  }

  /** Reports a change in the state of a slot of `worker`'s node. */
  reportSlotEvent(worker: NodeWorker, event: SlotEvent): void {
    const { counters, observer } = this.records;
    const { name } = worker.node;
    switch (event.type) {
      case "slotSick":
        if (event.isNew) this.reportDisabled(worker, event.slot, event.reason);
        if (event.lasting && counters.markNeedsReboot(name, event.slot)) this.reportLasting(worker, event.slot);
        return;
      case "slotRecovered":
        return this.reportEnabled(worker, event.slot);
      case "slotBroken":
        return this.reportDisabled(worker, event.slot, event.reason);
      case "slotHeld":
        return observer.slotHolderChanged(worker, event.slot, event.holder);
      case "memoryPressure":
        return observer.memoryPressureChanged(worker);
      case "gpuCheckFailed":
        return observer.nodeWarning(worker, `cannot check its GPUs: ${event.reason}`);
      default:
        return event satisfies never;
    }
  }

  /** Reports that the scheduler's circuit breaker has taken a slot out of use, or put it back. */
  reportQuarantine(worker: NodeWorker, instruction: Extract<Instruction, { do: "quarantine" | "release" }>): void {
    const { counters, observer } = this.records;
    const { node, slot } = instruction;
    if (instruction.do === "release") return this.reportEnabled(worker, slot);
    counters.disableSlot(node, slot, instruction.reason);
    observer.nodeWarning(worker, `slot ${slot} gets no work for ${instruction.seconds} s: ${instruction.reason}`);
  }

  /** Slots that share a sick GPU are disabled one after another; the first one speaks for all of them. */
  private reportDisabled(worker: NodeWorker, slot: number, reason: string): void {
    const { counters, observer } = this.records;
    const sharers = reason.startsWith("GPU ") ? findSharers(worker, slot) : [slot];
    const { disabledSlots } = counters.forNode(worker.node.name);
    const isReported = sharers.some((one) => one !== slot && disabledSlots.get(one)?.back === false);
    counters.disableSlot(worker.node.name, slot, reason);
    if (isReported) return;
    const advice = reason.startsWith("GPU ") ? adviceFor(worker, slot, reason) : "";
    const what = sharers.length === 1 ? "is disabled: " : "are disabled: ";
    observer.nodeWarning(worker, `${formatSlots(sharers)} ${what}${reason}${advice}`);
  }

  /** The last of the slots that share a GPU speaks for all of them. */
  private reportEnabled(worker: NodeWorker, slot: number): void {
    const { counters, observer } = this.records;
    const { disabledSlots } = counters.forNode(worker.node.name);
    const reason = disabledSlots.get(slot)?.reason;
    const sharers = findSharers(worker, slot).filter((one) => disabledSlots.get(one)?.reason === reason);
    counters.enableSlot(worker.node.name, slot);
    if (sharers.some((one) => disabledSlots.get(one)?.back === false)) return;
    const slots = sharers.length === 0 ? [slot] : sharers;
    const what = slots.length === 1 ? "is enabled again" : "are enabled again";
    observer.nodeWarning(worker, `${formatSlots(slots)} ${what}`);
  }

  private reportLasting(worker: NodeWorker, slot: number): void {
    const { counters, observer } = this.records;
    const { name } = worker.node;
    const { disabledSlots } = counters.forNode(name);
    const sharers = findSharers(worker, slot);
    if (sharers.some((one) => one !== slot && disabledSlots.get(one)?.reboot)) return;
    observer.nodeWarning(
      worker,
      `${formatSlots(sharers)} ${sharers.length === 1 ? "stays" : "stay"} sick: reboot ${name}`,
    );
  }
}

/** Returns the slots that have the same GPU as `slot`, itself included, in ascending order. */
function findSharers({ slots }: NodeWorker, slot: number): number[] {
  const gpu = slots.find((one) => one.slot === slot)?.gpu;
  return gpu === undefined ? [slot] : slots.filter((one) => one.gpu === gpu).map((one) => one.slot);
}

function adviceFor(worker: NodeWorker, slot: number, reason: string): string {
  const profile = findSlotProfile(worker, slot);
  return profile === undefined ? "" : `\n    ${adviseOnSickGpu(profile, reason)}`;
}
