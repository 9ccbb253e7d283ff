import type { Chunk, Job } from "../../job/job.js";
import type { Event, Held, Instruction } from "../events.js";
import type { Source } from "../queue/source.js";
import type { Waiting } from "../queue/waiting.js";
import type { History } from "../slots/blame.js";
import type { Pool } from "../slots/pool.js";
import type { Divisions } from "./divisions.js";
import type { Returns } from "./returns.js";
import type { Attempts, Underway } from "./underway.js";

/** What becomes of attempts when their node joins: it has them still, or has lost them, or has some that nobody expects. */
export class Joins {
  constructor(
    private readonly job: Job,
    private readonly pool: Pool,
    private readonly source: Source,
    private readonly attempts: Attempts,
    private readonly waiting: Waiting,
    private readonly returns: Returns,
    private readonly divisions: Divisions,
  ) {}

  /** A node is there, for the first time or again, and holds what it says. */
  join(event: Extract<Event, { type: "joined" }>, now: number): Instruction[] {
    const { node: name, slots, limit, held } = event;
    const known = this.attempts.on(name);
    const left = this.attempts.takeLeft(name);
    this.pool.join(name, slots, limit);
    const holds = new Set(held.map((one) => one.id));
    const out: Instruction[] = [];
    const isLost = ({ attempt, phase }: Underway) =>
      event.agentDied === true && phase === "running" && !holds.has(attempt.id);
    for (const underway of known) {
      const { attempt } = underway;
      underway.leaving = false;
      underway.asked = false;
      if (holds.has(attempt.id)) this.attempts.reload(underway);
      else {
        this.attempts.forget(attempt.id);
        if (isLost(underway)) out.push(...this.returns.agentDied(underway, now));
        else this.returns.requeue(underway, now);
      }
    }
    out.push(...held.flatMap((one) => this.divisions.split(one.id, one.end, now)));
    for (const one of held) {
      const before = left.get(one.id);
      const isOurs = this.attempts.get(one.id) !== undefined || this.adopt(name, one, before, now);
      if (!isOurs) out.push({ do: "drop", node: name, id: one.id });
      if (one.agentDied) out.push(...this.lose(one.id, before, now));
      left.delete(one.id);
    }
    for (const before of left.values()) if (isLost(before)) out.push(...this.returns.leftAgentDied(before));
    return out;
  }

  /** An attempt died with its agent: whether it is still this chunk's only one, or was `left` and its chunk is elsewhere. */
  private lose(id: string, left: Underway | undefined, now: number): Instruction[] {
    // A result that is on its way here was reported before the agent died: what is taken from it decides.
    if (this.attempts.get(id)?.phase === "collecting") return [];
    const underway = this.attempts.release(id);
    if (underway !== undefined) return this.returns.agentDied(underway, now);
    return left === undefined ? [] : this.returns.leftAgentDied(left);
  }

  /** Takes over what an earlier coordinator started, or was left there, unless its units are somebody's already. */
  private adopt(node: string, held: Held, left: Underway | undefined, now: number): boolean {
    const slot = this.pool.slot(node, held.slot);
    if (slot === undefined) return false;
    const found = this.fromBefore(held) ?? this.waiting.reclaim(held.id);
    if (found === undefined) return false;
    const { chunk, history } = found;
    const attempt = { id: held.id, number: history.length + 1, chunk, node, slot: held.slot };
    const phase = held.state === "queued" ? "queued" : "running";
    this.attempts.add({ attempt, slot, history, phase, since: now, alone: left?.alone ?? false });
    this.divisions.split(held.id, held.end, now);
    return true;
  }

  /** The chunk of an attempt of an earlier coordinator, if nobody has had its units since. */
  private fromBefore({ chunk, end }: Held): { chunk: Chunk; history: History } | undefined {
    const [start, before] = this.job.unitsOf(chunk) ?? [0n, 0n];
    const units: [bigint, bigint] = [start, end ?? before];
    if (units[0] >= units[1] || units[1] > before || !this.source.remove(...units)) return undefined;
    return { chunk: this.job.chunk(...units), history: [] };
  }
}
