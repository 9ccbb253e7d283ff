import type { Chunk, Job } from "../../job/job.js";
import type { Event, Instruction, RemoteAttempt } from "../events.js";
import type { ChunkSource } from "../queue/chunksource.js";
import type { RetryQueue } from "../queue/retryqueue.js";
import type { Pool } from "../slots/pool.js";
import type { AttemptHistory } from "../slots/quarantine.js";
import { placeAttempt } from "./attemptplace.js";
import type { ChunkStops } from "./chunkstops.js";
import { hasEnded, type InFlightAttempt, type InFlightAttempts } from "./inflight.js";
import type { Requeuer } from "./requeue.js";
import type { Splitter } from "./splitting.js";

/** Reconciles the attempts in flight on a node with those that its agent reports when the node joins. */
export class Reattacher {
  constructor(
    private readonly job: Job,
    private readonly pool: Pool,
    private readonly source: ChunkSource,
    private readonly attempts: InFlightAttempts,
    private readonly retryQueue: RetryQueue,
    private readonly requeuer: Requeuer,
    private readonly splitter: Splitter,
    private readonly stops: ChunkStops,
  ) {}

  /** Handles a node that joins, for the first time or again, with the attempts that its agent reports. */
  handleJoin(event: Extract<Event, { type: "nodeJoined" }>, now: number): Instruction[] {
    const { node: name, slots, limit, held, deadline } = event;
    const known = this.attempts.listOnNode(name);
    const left = this.attempts.takeLeftBehind(name);
    this.pool.joinNode(name, slots, limit, deadline);
    const holds = new Set(held.map((one) => one.id));
    const out: Instruction[] = [];
    const isLost = ({ attempt, phase }: InFlightAttempt) =>
      event.agentDied === true && phase === "running" && !holds.has(attempt.id);
    for (const inFlight of known) {
      inFlight.isWithdrawn = false;
      inFlight.isSplitPending = false;
      if (holds.has(inFlight.attempt.id)) this.attempts.restoreLoad(inFlight);
      else this.attempts.forget(inFlight.attempt.id);
    }
    // What follows may drop other attempts of the node, so all of them must be counted before.
    for (const inFlight of known.filter(({ attempt }) => !holds.has(attempt.id)))
      out.push(
        ...(isLost(inFlight) ? this.requeuer.handleAgentDeath(inFlight, now) : this.requeuer.requeue(inFlight, now)),
      );
    out.push(...held.flatMap((one) => this.splitter.split(one.id, one.end, now)));
    for (const one of held) {
      const before = left.get(one.id);
      const isOurs = this.attempts.get(one.id) !== undefined || this.adopt(name, one, before, now);
      if (!isOurs) out.push({ do: "drop", node: name, id: one.id });
      if (one.agentDied) out.push(...this.handleAgentDeath(one.id, before, now));
      left.delete(one.id);
    }
    for (const before of left.values()) if (isLost(before)) out.push(...this.requeuer.handleLeftAgentDeath(before));
    return out;
  }

  /**
   * Handles an attempt that died with its agent. `left`: the attempt, if its chunk was queued again while the node was
   * away.
   */
  private handleAgentDeath(id: string, left: InFlightAttempt | undefined, now: number): Instruction[] {
    // A result that is being collected was reported before the agent died: its collection decides.
    const known = this.attempts.get(id);
    if (known !== undefined && hasEnded(known)) return [];
    const inFlight = this.attempts.release(id);
    if (inFlight !== undefined) return this.requeuer.handleAgentDeath(inFlight, now);
    return left === undefined ? [] : this.requeuer.handleLeftAgentDeath(left);
  }

  /**
   * Adopts an attempt that an earlier coordinator started or that was left behind, unless its units were given out since.
   */
  private adopt(node: string, held: RemoteAttempt, left: InFlightAttempt | undefined, now: number): boolean {
    const slots = (held.slots ?? [held.slot]).flatMap((slot) => this.pool.slot(node, slot) ?? []);
    if (slots.length === 0) return false;
    const reclaim = () => this.retryQueue.reclaim(held.id) ?? this.stops.reclaim(held.chunk);
    const found = this.findEarlierChunk(held) ?? reclaim();
    if (found === undefined) return false;
    const { chunk, history } = found;
    const attempt = { id: held.id, number: history.length + 1, chunk, ...placeAttempt(slots) };
    const phase = held.state === "queued" ? "queued" : "running";
    const since = now - (held.seconds ?? 0);
    this.attempts.add({ attempt, slots, history, phase, since, isExclusive: left?.isExclusive ?? false });
    this.splitter.split(held.id, held.end, now);
    return true;
  }

  /** Returns the chunk of an attempt of an earlier coordinator if its units are unassigned; undefined otherwise. */
  private findEarlierChunk({ chunk, end }: RemoteAttempt): { chunk: Chunk; history: AttemptHistory } | undefined {
    const [start, before] = this.job.unitsOf(chunk) ?? [0n, 0n];
    const units: [bigint, bigint] = [start, end ?? before];
    if (units[0] >= units[1] || units[1] > before || !this.source.remove(...units)) return undefined;
    return { chunk: this.job.chunk(...units), history: [] };
  }
}
