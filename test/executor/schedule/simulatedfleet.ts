import type { Attempt, Event, Instruction, RemoteAttempt } from "../../../executor/schedule/events.js";
import type { Scheduler } from "../../../executor/schedule/scheduler.js";
import { openRun, slots, startedAttempts } from "./schedulefixture.js";

/** Simulated nodes with their queued and running attempts; their agents die on request. */
export class SimulatedFleet {
  readonly said: Instruction[] = [];
  /** The attempts on nodes, queued or running. */
  readonly there: Attempt[] = [];
  private now = 0;

  constructor(
    readonly scheduler: Scheduler,
    private readonly sizes: Record<string, number>,
  ) {
    this.there.push(...openRun(scheduler, Object.entries(sizes)));
  }

  tell(event: Event): void {
    this.now += 0.1;
    const out = this.scheduler.handle(event, this.now);
    this.said.push(...out);
    this.there.push(...startedAttempts(out));
    for (const one of out) if (one.do === "withdraw") for (const id of one.ids) this.giveBack(id);
  }

  /** Advances time beyond every backoff. */
  wait(): void {
    this.now += 100;
    this.tell({ type: "tick" });
  }

  start(attempt: Attempt): void {
    this.tell({ type: "started", attempt: attempt.id });
  }

  end(attempt: Attempt): void {
    this.take(attempt.id);
    this.tell({ type: "finished", attempt: attempt.id, seconds: 1 });
    this.tell({ type: "committed", attempt: attempt.id });
  }

  /** Returns the first attempt of each slot of a node. */
  firstOn(node: string): Attempt[] {
    return this.there.filter(
      (one, index) =>
        one.node === node && this.there.findIndex(({ slot, node: on }) => on === node && slot === one.slot) === index,
    );
  }

  /** Kills the agent of a node with `ran` running; a new agent reports that. */
  die(node: string, ran = this.firstOn(node), change: Partial<RemoteAttempt> = { agentDied: true }): void {
    for (const one of ran) this.start(one);
    const held = ran.map(
      ({ id, chunk, slot }): RemoteAttempt => ({ id, chunk: chunk.id, slot, state: "done", ...change }),
    );
    this.tell({ type: "nodeDisconnected", node });
    this.join(node, held);
  }

  join(node: string, held: RemoteAttempt[], agentDied = false): void {
    const holds = held.filter(({ state }) => state === "running").map(({ id }) => id);
    for (const { id } of this.there.filter((one) => one.node === node && !holds.includes(one.id))) this.take(id);
    const count = this.sizes[node]!;
    this.tell({ type: "nodeJoined", node, slots: slots(node, count), limit: count, held, agentDied });
  }

  of(chunk: string): Attempt | undefined {
    return this.there.find((one) => one.chunk.id === chunk);
  }

  all<D extends Instruction["do"]>(what: D) {
    return this.said.filter((one): one is Extract<Instruction, { do: D }> => one.do === what);
  }

  private giveBack(id: string): void {
    this.take(id);
    this.tell({ type: "requeued", attempt: id });
  }

  private take(id: string): void {
    const index = this.there.findIndex((one) => one.id === id);
    if (index >= 0) this.there.splice(index, 1);
  }
}
