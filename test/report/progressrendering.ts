import type { NodeWorker } from "../../executor/run/node/nodeworker.js";
import type { RecheckDifference } from "../../executor/run/record/journalentry.js";
import type { ExcludedNode } from "../../executor/run/record/runsummary.js";
import type { Failure } from "../../executor/schedule/events.js";
import { PlainProgress } from "../../report/progressplain.js";
import { createLiveRun } from "./liverunsample.js";

export const members = [
  { node: { name: "rig" }, state: "live", slots: [{ slot: 0 }], slotMonitor: { memoryWaitingSlots: 1 } },
  {
    node: { name: "zeus" },
    state: "away",
    slots: [],
    slotMonitor: { memoryWaitingSlots: 0 },
    reason: "no route",
    error: { next: "Look." },
  },
];

/** What PlainProgress is told. */
export interface Reported {
  leftOut: ExcludedNode[];
  members: NodeWorker[];
  texts: { holder: string; problem: string; note: string };
  failure: Failure;
  differing: RecheckDifference;
}

/** Calls every method of PlainProgress and returns its output. */
export function progressText({
  leftOut,
  members: reported,
  texts,
  failure: failed,
  differing: found,
}: Reported): string {
  const said: string[] = [];
  const progress = new PlainProgress({ out: () => {}, err: (text) => said.push(text) });
  progress.runStarted({ current: createLiveRun() }, "/runs/sieve", leftOut);
  for (const member of reported) {
    progress.nodeChanged(member);
    progress.slotHolderChanged(member, 0, texts.holder);
    progress.slotHolderChanged(member, 0, undefined);
    progress.memoryPressureChanged(member);
    progress.nodeWarning(member, texts.problem);
  }
  progress.notice(texts.note);
  progress.attemptFailed(failed);
  progress.chunkFailed(failed);
  progress.recheckDiffered(found);
  progress.end();
  return said.join("\n");
}
