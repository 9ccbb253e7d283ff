import type { ResultOrigin } from "../../schedule/attempts/recheckselection.js";
import { IntervalSet } from "../../schedule/queue/intervalset.js";
import type { JournalEntry } from "./journal.js";
import { Leftovers } from "./leftovers.js";

type RunEntry = Extract<JournalEntry, { e: "run" }>;
type OpenEntry = Extract<JournalEntry, { e: "open" }>;
export type CloseEntry = Extract<JournalEntry, { e: "close" }>;

/** A chunk of which two results differ, who made them, and where they do. */
export interface RecheckDifference {
  chunk: string;
  first: ResultOrigin;
  second: ResultOrigin;
  what: string;
}

/** What the sessions before this one have left in a run directory, gathered from its journal. */
export class RunReplay {
  /** What the run directory is for; undefined while it is new. */
  header: RunEntry | undefined;
  /** The run's ids, the current one last. */
  readonly ids: string[] = [];
  /** The last coordinator that opened it. */
  holder: OpenEntry | undefined;
  /** The nonces of all coordinators that opened it. */
  readonly nonces: string[] = [];
  /** Committed units: as many stretches as there are gaps between them, however many chunks there were. */
  readonly committedUnits = new IntervalSet();
  committedChunks = 0;
  /** Bytes of results.ndjson that are committed. */
  resultsBytes = 0;
  /** How the last session ended; undefined where it did not end in order. */
  closeEntry: CloseEntry | undefined;
  /** Chunks that were computed again, and those of them of which both results differ. */
  readonly recheckedChunks = new Set<string>();
  readonly recheckDifferences: RecheckDifference[] = [];
  /** All nodes that could ever be given work: what `-i` takes to find them -> their names. */
  readonly nodes = new Map<string, Set<string>>();
  /** The nodes that may hold something of it. */
  readonly leftovers = new Leftovers();

  apply(entry: JournalEntry): void {
    this.leftovers.apply(entry);
    switch (entry.e) {
      case "run":
        this.header = entry;
        this.ids.push(entry.id);
        break;
      case "open":
        this.holder = entry;
        this.closeEntry = undefined;
        if (entry.nonce !== undefined) this.nonces.push(entry.nonce);
        break;
      case "adopt":
        this.ids.push(entry.id);
        break;
      case "nodes":
        this.nodes.set(entry.inventory, new Set([...(this.nodes.get(entry.inventory) ?? []), ...entry.nodes]));
        break;
      case "done":
        this.committedChunks++;
        this.committedUnits.add(BigInt(entry.start), BigInt(entry.end));
        this.resultsBytes = entry.length;
        break;
      case "close":
        this.closeEntry = entry;
        break;
      case "canary":
        this.recheckedChunks.add(entry.chunk);
        if (entry.differing !== undefined) this.recheckDifferences.push(entry.differing);
        break;
    }
  }

  get isComplete(): boolean {
    return this.closeEntry?.state === "complete";
  }

  /** The session number of the coordinator that comes now. */
  get nextSession(): number {
    return (this.holder?.session ?? 0) + 1;
  }
}
