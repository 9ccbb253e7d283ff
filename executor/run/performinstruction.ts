import type { Instruction } from "../schedule/events.js";
import type { AgentCommand } from "./agent/protocol.js";
import type { NodeWorker } from "./node/nodeworker.js";
import type { RunCounters } from "./record/counters.js";
import type { Collector } from "./results/collector.js";
import type { RunEnd } from "./runend.js";
import type { RunReports } from "./runreports.js";
import type { WakeUpTimer } from "./timer.js";

/** What instructions act on. */
export interface InstructionTargets {
  workersByName: Map<string, NodeWorker>;
  counters: RunCounters;
  reports: RunReports;
  collector: Collector;
  wakeUpTimer: WakeUpTimer;
  /** Ends the run. */
  end: (how: RunEnd) => void;
}

/** Carries out one instruction of the scheduler. */
export function performInstruction(instruction: Instruction, targets: InstructionTargets): void {
  const { workersByName, counters, reports, collector, wakeUpTimer, end } = targets;
  switch (instruction.do) {
    case "start":
      counters.countStarted();
      workersByName.get(instruction.attempt.node)?.start(instruction.attempt);
      return;
    case "drop":
      reports.reportSuperseded(instruction.node, instruction.id);
      workersByName.get(instruction.node)?.send({ op: "cancel", ids: [instruction.id] });
      return collector.discardHeld(instruction.id);
    case "commit":
      return collector.commitHeld(instruction.id);
    case "withdraw":
    case "evict":
    case "split":
    case "stop":
      workersByName.get(instruction.node)?.send(toCommand(instruction));
      return;
    case "commit-stopped":
      return collector.commitStopped(instruction.chunk, instruction.number);
    case "quarantine":
    case "release":
      return reports.reportQuarantine(workersByName.get(instruction.node)!, instruction);
    case "stuck":
      return reports.reportStuck(instruction.reasons);
    case "report-wait":
      return reports.reportWait(instruction.reason);
    case "report-loss":
      return reports.reportFailedAttempt(instruction.failure);
    case "give-up":
      return reports.reportFailedChunk(instruction.failure);
    case "cancel":
      return reports.reportCancelledTask(instruction.chunk);
    case "skip-recheck":
      return reports.reportSkippedRecheck(instruction.failure);
    case "wake":
      return wakeUpTimer.wakeAt(instruction.at);
    case "halt":
      return end({ state: "halted", halt: instruction.halt });
    case "end":
      return end({ state: counters.isFullySuccessful ? "complete" : "partial" });
    default:
      instruction satisfies never;
  }
}

/** Returns the command that carries out an instruction about attempts that an agent has. */
function toCommand(instruction: Extract<Instruction, { do: "withdraw" | "evict" | "split" | "stop" }>): AgentCommand {
  switch (instruction.do) {
    case "withdraw":
      return { op: "withdraw", ids: [...instruction.ids] };
    case "evict":
      return { op: "cancel", ids: [...instruction.ids] };
    case "stop":
      return { op: "cancel", ids: [...instruction.ids], keep: true };
    case "split":
      return { op: "split", id: instruction.id, share: instruction.share };
    default:
      return instruction satisfies never;
  }
}
