import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Dialer } from "../../../fleet/connect.js";
import type { Node } from "../../../fleet/node.js";
import type { FoundNode } from "../../../fleet/slurm/findpilot.js";
import { MusterError } from "../../../schemas/errors.js";
import { agentProgram } from "../../../templates/nodeprograms.js";
import type { JournalEntry } from "../record/journalentry.js";
import type { Leftover } from "../record/leftovers.js";
import type { LogStream } from "../record/logfiles.js";
import { readPieces } from "../record/readpieces.js";
import { RunWatch } from "../record/runwatch.js";
import { chooseNodes } from "./choosenodes.js";
import { ChunkOutput } from "./chunkoutput.js";
import { FollowedChunks } from "./followedchunks.js";
import { FollowedNode } from "./followednode.js";
import type { FollowEvent, FollowedAttempt, FollowSink } from "./followevent.js";
import type { FollowMessage } from "./followmessages.js";

const POLL_MS = 200;
/** How long the end of an attempt may take to arrive from its node after the journal has it, or the run has ended. */
const END_TIMEOUT_MS = 3000;

/** What is followed. */
export interface FollowOptions {
  /** Undefined = all chunks. */
  chunk: string | undefined;
  streams: readonly LogStream[];
  /** With how many lines to begin, of attempts that run already; undefined = with the first one. */
  tail: number | undefined;
  /** Returns the node of this name in an inventory (a value of `-i`); undefined where it is not selected. Throws where there is none. */
  findNode(inventory: string, name: string): FoundNode | undefined;
  sink: FollowSink;
  signal: AbortSignal;
}

/** How following ended. */
export interface FollowResult {
  /** Whether some attempt was shown, or collected output. */
  hasShown: boolean;
  /** Whether a node could not be followed to its end. */
  isIncomplete: boolean;
}

/** Follows the output of chunks of a run: from the nodes while they run, and from the run directory where it was collected before. */
export class LogFollower {
  private readonly watch: RunWatch;
  private readonly chunks: FollowedChunks;
  private readonly nodes = new Map<string, FollowedNode>();
  /** Nodes that the inventory does not have any more. */
  private readonly unfound = new Set<string>();
  private readonly outputs = new Map<string, ChunkOutput>();
  /** By key, the chunks that have a result and were not shown to their end: their id, and since when. */
  private readonly committed = new Map<string, { chunk: string; sinceMs: number }>();
  /** Whether the chunk that was asked for has a result, or has failed in the last session. */
  private hasEnded = false;
  private inactiveSinceMs: number | undefined;
  private readonly result: FollowResult = { hasShown: false, isIncomplete: false };
  /** Events go to the sink one after another, whichever node they come from. */
  private turn: Promise<void> = Promise.resolve();
  private readonly controller = new AbortController();
  private readonly dialer = new Dialer();

  /** Opens the run directory `path` of a job. Throws JOURNAL_DAMAGED (65), or the error of the file system. */
  constructor(
    private readonly path: string,
    private readonly options: FollowOptions,
  ) {
    let isRange = false;
    this.watch = RunWatch.open(path, (entry) => {
      if (entry.e === "run") isRange = JSON.parse(entry.identity).kind === "range";
      this.noteEnd(entry);
    });
    this.chunks = new FollowedChunks(options.chunk, isRange);
  }

  /** Whether there is anything to follow: not where the chunk that is asked for has its last output in the run directory already. */
  get isFollowable(): boolean {
    return !this.hasEnded && (this.watch.isActive || this.listPlaces().length > 0);
  }

  /** What runs now, for a message about what is waited for; undefined where that is not known. */
  get runningChunks(): string[] | undefined {
    return this.watch.live?.slots.flatMap(({ running }) => (running === undefined ? [] : [running.chunk]));
  }

  /** Follows until the chunk has ended, or else the run, or the signal aborts. */
  async follow(): Promise<FollowResult> {
    const { signal } = this.options;
    const stop = () => this.controller.abort();
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    try {
      do {
        for (const entry of this.watch.poll()) await this.applyEntry(entry);
        for (const { node, inventory } of this.listPlaces()) await this.followIfNeeded(node, inventory);
        await this.inTurn(() => this.showCollected());
        if (this.isOver()) break;
        await sleep(POLL_MS, undefined, { signal }).catch(() => {});
      } while (!signal.aborted);
    } finally {
      stop();
      signal.removeEventListener("abort", stop);
      await Promise.all([...this.nodes.values()].map((node) => node.ended));
      await this.dialer.closeEngines();
      this.watch.close();
    }
    return this.result;
  }

  close(): void {
    this.watch.close();
  }

  /** The machines and pilots that may hold something of the run. */
  private listPlaces(): Pick<Leftover, "node" | "inventory">[] {
    return [...this.watch.replay.leftovers, ...this.watch.replay.pilots.openNodes];
  }

  private async followIfNeeded(name: string, inventory: string): Promise<void> {
    const { isActive, live, replay } = this.watch;
    if (this.nodes.has(name) || !chooseNodes({ isActive, live, leftovers: this.listPlaces() }, this.chunks).has(name))
      return;
    const node = await this.findNode(inventory, name);
    if (node === undefined) return;
    const { streams, tail } = this.options;
    const attempts = new Map<string, FollowedAttempt>();
    const following = {
      dialer: this.dialer,
      agent: agentProgram(),
      runId: replay.ids.at(-1)!,
      selection: { streams, ...(tail === undefined ? {} : { tail }), ...this.chunks.forNode() },
      handle: (message: FollowMessage) => this.inTurn(() => this.handleMessage(name, attempts, message)),
      onLost: (reason: string) => this.handleLoss(name, reason),
      signal: this.controller.signal,
    };
    this.nodes.set(name, new FollowedNode(node, following));
  }

  /** Returns the node to follow; undefined where it is not selected, or not found any more. */
  private async findNode(inventory: string, name: string): Promise<Node | undefined> {
    try {
      const found = this.unfound.has(name) ? undefined : this.options.findNode(inventory, name);
      if (found?.cluster !== undefined) this.dialer.engineOf(found.cluster);
      return found?.node;
    } catch (error) {
      if (!(error instanceof MusterError)) throw error;
      this.unfound.add(name);
      this.result.isIncomplete = true;
      const reason = error.textFor(name);
      await this.inTurn(() => this.emit({ type: "nodeLost", node: name, reason, isRetried: false }));
    }
    return undefined;
  }

  private async handleLoss(node: string, reason: string): Promise<boolean> {
    // A pilot that has ended does not come back: its chunks run elsewhere.
    if (this.watch.live?.nodes.find((one) => one.node === node)?.state === "ended") return false;
    const isRetried = this.watch.isActive;
    if (reason !== "") await this.inTurn(() => this.emit({ type: "nodeLost", node, reason, isRetried }));
    if (!isRetried) this.result.isIncomplete = true;
    return isRetried;
  }

  private async handleMessage(
    node: string,
    attempts: Map<string, FollowedAttempt>,
    message: FollowMessage,
  ): Promise<void> {
    if (message.ev === "following") {
      for (const id of attempts.keys()) if (!message.ids.includes(id)) attempts.delete(id);
      return;
    }
    const { id } = message;
    if (message.ev === "begin") {
      if (this.chunks.includes(message.chunk))
        await this.begin(id, { chunk: message.chunk, node, slot: message.slot }, attempts);
      return;
    }
    const place = attempts.get(id);
    const output = place && this.outputs.get(this.chunks.keyOf(place.chunk));
    if (place === undefined || output?.isShown(id) !== true) return;
    if (message.ev === "log") {
      output.add(message.stream, message.bytes);
      await this.emit({ type: "output", chunk: place.chunk, stream: message.stream, bytes: message.bytes });
    } else if (message.ev === "dropped") {
      await this.emit({ type: "dropped", chunk: place.chunk, stream: message.stream, bytes: message.bytes });
    } else {
      attempts.delete(id);
      output.end(message.outcome, message.whole);
      await this.emit({ type: "ended", ...place, outcome: message.outcome });
    }
  }

  private async begin(id: string, place: FollowedAttempt, attempts: Map<string, FollowedAttempt>): Promise<void> {
    const key = this.chunks.keyOf(place.chunk);
    const output = this.outputs.get(key) ?? new ChunkOutput();
    this.outputs.set(key, output);
    const begun = output.begin({ id, ...place });
    attempts.set(id, place);
    this.result.hasShown = true;
    if (begun === "new") await this.emit({ type: "started", ...place });
    else if (begun === "copy") await this.emit({ type: "copy", ...place });
  }

  private async applyEntry(entry: JournalEntry): Promise<void> {
    this.noteEnd(entry);
    if (entry.e === "done" && this.chunks.includes(entry.chunk))
      this.committed.set(this.chunks.keyOf(entry.chunk), { chunk: entry.chunk, sinceMs: performance.now() });
    if (entry.e !== "tried" || !this.chunks.includes(entry.chunk)) return;
    const { chunk, node, slot, attempt, reason } = entry;
    if (this.outputs.get(this.chunks.keyOf(chunk))?.noteFailure({ node, slot }) === true) return;
    await this.inTurn(() => this.emit({ type: "failed", chunk, node, slot, attempt, reason }));
  }

  private noteEnd(entry: JournalEntry): void {
    const { chunk } = this.options;
    if (entry.e === "open") this.hasEnded = false;
    else if (entry.e === "failed") this.hasEnded ||= entry.failure.chunk === chunk;
    else if (entry.e === "done") this.hasEnded ||= entry.chunk === chunk;
  }

  /** Shows the output of chunks that were collected before it was read on their node. */
  private async showCollected(): Promise<void> {
    for (const [key, { chunk, sinceMs }] of this.committed) {
      const output = this.outputs.get(key);
      const isComing = output?.isOpen === true && this.nodes.get(output.node ?? "")?.isFollowing === true;
      if (isComing && performance.now() - sinceMs < END_TIMEOUT_MS) continue;
      this.committed.delete(key);
      this.outputs.delete(key);
      if (output?.isComplete !== true) await this.showRest(chunk, output);
    }
  }

  private async showRest(chunk: string, output: ChunkOutput | undefined): Promise<void> {
    const from = this.options.streams.map((stream) => [stream, output?.continuation(stream) ?? 0] as const);
    this.result.hasShown = true;
    let isAnnounced = false;
    for (const [stream, offset] of from)
      for (const bytes of readPieces(join(this.path, "logs", `${chunk}.${stream}`), offset)) {
        if (!isAnnounced) await this.emit({ type: "collected", chunk, isRest: from.some(([, at]) => at > 0) });
        isAnnounced = true;
        await this.emit({ type: "output", chunk, stream, bytes });
      }
  }

  private isOver(): boolean {
    const { isActive } = this.watch;
    if (this.options.chunk !== undefined) {
      const output = this.outputs.get(this.chunks.keyOf(this.options.chunk));
      if (output?.isComplete === true || (this.hasEnded && this.committed.size === 0 && output?.isOpen !== true))
        return true;
    }
    if (isActive) {
      this.inactiveSinceMs = undefined;
      return false;
    }
    this.inactiveSinceMs ??= performance.now();
    const isLate = performance.now() - this.inactiveSinceMs > END_TIMEOUT_MS;
    const held = new Set(this.listPlaces().map(({ node }) => node));
    const isSettled = ([name, node]: [string, FollowedNode]) =>
      node.isIdle || node.hasFailed || (isLate && !held.has(name));
    return this.committed.size === 0 && [...this.nodes].every(isSettled);
  }

  private emit(event: FollowEvent): Promise<void> {
    return this.options.sink(event);
  }

  private inTurn(act: () => Promise<void>): Promise<void> {
    const done = this.turn.then(act);
    this.turn = done.catch(() => {});
    return done;
  }
}
