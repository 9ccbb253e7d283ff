import { addListener } from "./addlistener.js";
import type { RunDirectory } from "./record/rundir.js";
import type { RunObserver } from "./runobserver.js";

/** Limits the notices of a session, so that a node that is always in trouble cannot fill the disk. */
const MAX_BYTES = 1 << 20;
const MAX_NOTICE_CHARS = 2000;

/** Returns an observer that also journals notices and warnings about nodes, so that `muster attach` shows them. */
export function journalNotices(
  observer: RunObserver,
  { journal, elapsedSeconds }: Pick<RunDirectory, "journal" | "elapsedSeconds">,
): RunObserver {
  let bytes = 0;
  const record = (text: string, node?: string) => {
    bytes += Math.min(text.length, MAX_NOTICE_CHARS);
    if (bytes > MAX_BYTES) return;
    journal.add({ e: "notice", at: elapsedSeconds(), node, text: text.slice(0, MAX_NOTICE_CHARS) });
    // The next result may be hours away. A disk that fails makes the next commit fail, too.
    void journal.flush().catch(() => {});
  };
  return addListener(observer, {
    notice: (message) => record(message),
    nodeWarning: ({ node }, message) => record(message, node.name),
  });
}
