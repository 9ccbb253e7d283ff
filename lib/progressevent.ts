import { addListener } from "../executor/run/addlistener.js";
import type { NodeConnectionState } from "../executor/run/record/journalentry.js";
import type { RunObserver } from "../executor/run/runobserver.js";
import type { Failure } from "../executor/schedule/events.js";
import { silentProgress } from "../report/progressplain.js";

/** What happens in a run, beside its results. */
export type RunProgressEvent =
  /** Something that a person may want to know. `node`: the node that it is about. */
  | Readonly<{ type: "notice"; text: string; node?: string }>
  /** The connection of a node has changed. */
  | Readonly<{ type: "nodeChanged"; node: string; state: NodeConnectionState; reason?: string }>
  /** An attempt has failed; its chunk may be tried again. */
  | Readonly<{ type: "attemptFailed"; failure: Failure }>
  /** A chunk has failed and will not be tried again. */
  | Readonly<{ type: "chunkFailed"; failure: Failure }>;

/** Is told what happens in a run. */
export type ProgressListener = (event: RunProgressEvent) => unknown;

/** Returns an observer that tells `listener` what happens. What that throws, or rejects with, goes to `fail` and does not reach the run. */
export function observeProgress(listener: ProgressListener | undefined, fail: (error: unknown) => void): RunObserver {
  if (listener === undefined) return silentProgress;
  const tell = (event: RunProgressEvent) => {
    void Promise.resolve(event).then(listener).catch(fail);
  };
  return addListener(silentProgress, {
    nodeChanged: ({ node: { name }, state, reason }) =>
      tell({ type: "nodeChanged", node: name, state, ...(reason === undefined ? {} : { reason }) }),
    nodeWarning: ({ node: { name } }, text) => tell({ type: "notice", text, node: name }),
    notice: (text) => tell({ type: "notice", text }),
    attemptFailed: (failure) => tell({ type: "attemptFailed", failure }),
    chunkFailed: (failure) => tell({ type: "chunkFailed", failure }),
    recheckDiffered: ({ chunk }) => tell({ type: "notice", text: `chunk ${chunk}: a recheck had a different result` }),
  });
}
