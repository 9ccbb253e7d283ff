import type { RunObserver } from "./runobserver.js";

/** Returns an observer that notifies `observer`, and then `listener` of the events that it listens to. */
export function addListener(observer: RunObserver, listener: Partial<RunObserver>): RunObserver {
  return {
    runStarted: (view, path, leftOut) => {
      observer.runStarted(view, path, leftOut);
      listener.runStarted?.(view, path, leftOut);
    },
    nodeChanged: (worker) => {
      observer.nodeChanged(worker);
      listener.nodeChanged?.(worker);
    },
    slotHolderChanged: (worker, slot, holder) => {
      observer.slotHolderChanged(worker, slot, holder);
      listener.slotHolderChanged?.(worker, slot, holder);
    },
    memoryPressureChanged: (worker) => {
      observer.memoryPressureChanged(worker);
      listener.memoryPressureChanged?.(worker);
    },
    nodeWarning: (worker, message) => {
      observer.nodeWarning(worker, message);
      listener.nodeWarning?.(worker, message);
    },
    notice: (message) => {
      observer.notice(message);
      listener.notice?.(message);
    },
    attemptFailed: (failure) => {
      observer.attemptFailed(failure);
      listener.attemptFailed?.(failure);
    },
    recheckDiffered: (differing) => {
      observer.recheckDiffered(differing);
      listener.recheckDiffered?.(differing);
    },
    chunkFailed: (failure) => {
      observer.chunkFailed(failure);
      listener.chunkFailed?.(failure);
    },
    chunksCommitted: () => {
      observer.chunksCommitted();
      listener.chunksCommitted?.();
    },
  };
}
