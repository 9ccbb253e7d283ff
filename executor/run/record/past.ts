import type { ResultOrigin } from "../../schedule/attempts/recheckselection.js";
import { IntervalSet } from "../../schedule/queue/intervalset.js";
import type { Entry } from "./journal.js";
import { Leftovers } from "./leftovers.js";

type RunEntry = Extract<Entry, { e: "run" }>;
type OpenEntry = Extract<Entry, { e: "open" }>;
export type CloseEntry = Extract<Entry, { e: "close" }>;

/** A chunk of which two results differ, who made them, and where they do. */
export interface Differing {
  chunk: string;
  first: ResultOrigin;
  second: ResultOrigin;
  what: string;
}

/** What the sessions before this one have left in a run directory, gathered from its journal. */
export class Past {
  /** What the run directory is for; undefined while it is new. */
  run: RunEntry | undefined;
  /** The run's ids, the current one last. */
  readonly ids: string[] = [];
  /** The last coordinator that opened it. */
  holder: OpenEntry | undefined;
  /** The nonces of all coordinators that opened it. */
  readonly nonces: string[] = [];
  /** Committed units: as many stretches as there are gaps between them, however many chunks there were. */
  readonly done = new IntervalSet();
  chunks = 0;
  /** Bytes of results.ndjson that are committed. */
  length = 0;
  /** How the last session ended; undefined where it did not end in order. */
  closed: CloseEntry | undefined;
  /** Chunks that were computed again, and those of them of which both results differ. */
  readonly compared = new Set<string>();
  readonly differing: Differing[] = [];
  /** All nodes that could ever be given work: what `-i` takes to find them -> their names. */
  readonly nodes = new Map<string, Set<string>>();
  /** The nodes that may hold something of it. */
  readonly leftovers = new Leftovers();

  see(entry: Entry): void {
    this.leftovers.see(entry);
    switch (entry.e) {
      case "run":
        this.run = entry;
        this.ids.push(entry.id);
        break;
      case "open":
        this.holder = entry;
        this.closed = undefined;
        if (entry.nonce !== undefined) this.nonces.push(entry.nonce);
        break;
      case "adopt":
        this.ids.push(entry.id);
        break;
      case "nodes":
        this.nodes.set(entry.inventory, new Set([...(this.nodes.get(entry.inventory) ?? []), ...entry.nodes]));
        break;
      case "done":
        this.chunks++;
        this.done.add(BigInt(entry.start), BigInt(entry.end));
        this.length = entry.length;
        break;
      case "close":
        this.closed = entry;
        break;
      case "canary":
        this.compared.add(entry.chunk);
        if (entry.differing !== undefined) this.differing.push(entry.differing);
        break;
    }
  }

  get complete(): boolean {
    return this.closed?.state === "complete";
  }

  /** The session number of the coordinator that comes now. */
  get session(): number {
    return (this.holder?.session ?? 0) + 1;
  }
}
