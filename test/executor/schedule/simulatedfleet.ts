import type { Attempt, Event, Instruction, RemoteAttempt } from "../../../executor/schedule/events.js";
import { reportAttempts, Simulator } from "../../../executor/schedule/plan/simulator.js";
import type { Scheduler } from "../../../executor/schedule/scheduler.js";
import { failureOf, slots } from "./schedulefixture.js";

/** Simulated nodes whose attempts end, and whose agents die, when a test says so. */
export class SimulatedFleet {
  /** The instructions since the run was opened. */
  readonly instructions: Instruction[] = [];
  private readonly simulator: Simulator;

  constructor(
    readonly scheduler: Scheduler,
    private readonly sizes: Record<string, number>,
  ) {
    let isOpen = false;
    const onInstruction = (instruction: Instruction) => {
      if (isOpen) this.instructions.push(instruction);
    };
    this.simulator = new Simulator(scheduler, { onInstruction });
    this.simulator.open(
      Object.entries(sizes).map(([node, count]) => ({ node, slots: slots(node, count), limit: count })),
    );
    isOpen = true;
  }

  /** The attempts on nodes, queued or running. */
  get attempts(): Attempt[] {
    return this.simulator.attempts;
  }

  send(event: Event): void {
    this.simulator.clock.advance(0.1);
    this.simulator.send(event);
  }

  /** Advances time beyond every backoff. */
  wait(): void {
    this.simulator.clock.advance(100);
    this.send({ type: "tick" });
  }

  start(attempt: Attempt): void {
    this.send({ type: "started", attempt: attempt.id });
  }

  end(attempt: Attempt): void {
    this.simulator.clock.advance(0.1);
    this.simulator.finish(attempt.id, 1);
    this.send({ type: "committed", attempt: attempt.id });
  }

  fail(attempt: Attempt): void {
    this.simulator.clock.advance(0.1);
    this.simulator.fail(attempt.id, failureOf(attempt));
  }

  /** Returns the first attempt of each slot of a node. */
  firstOn(node: string): Attempt[] {
    return this.simulator.firstOfSlots(node);
  }

  /** Kills the agent of a node with `ran` running; a new agent reports that. */
  die(node: string, ran = this.firstOn(node), change: Partial<RemoteAttempt> = { agentDied: true }): void {
    for (const one of ran) this.start(one);
    this.send({ type: "nodeDisconnected", node });
    this.join(node, reportAttempts(ran, { state: "done", ...change }));
  }

  join(node: string, held: RemoteAttempt[], agentDied = false): void {
    const holds = held.filter(({ state }) => state === "running").map(({ id }) => id);
    this.simulator.removeFrom(node, ({ id }) => !holds.includes(id));
    const count = this.sizes[node]!;
    this.send({ type: "nodeJoined", node, slots: slots(node, count), limit: count, held, agentDied });
  }

  of(chunk: string): Attempt | undefined {
    return this.attempts.find((one) => one.chunk.id === chunk);
  }

  all<D extends Instruction["do"]>(what: D) {
    return this.instructions.filter((one): one is Extract<Instruction, { do: D }> => one.do === what);
  }
}
