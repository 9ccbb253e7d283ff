import { MusterError } from "../../schemas/errors.js";
import type { NodeWorker } from "../run/node/nodeworker.js";
import type { RunObserver, RunView } from "../run/runobserver.js";
import type { Failure } from "../schedule/events.js";

/** How long a slot may be held: the agent of the pass before needs a moment to end. */
const HELD_LIMIT_MS = 15_000;
/** How long nothing may run although work is left. */
const IDLE_LIMIT_MS = 30_000;
const LOOK_INTERVAL_MS = 1000;

/** Watches a pass, and stops it where it cannot go on: another run holds a card, or no card gets work. */
export class PassObserver implements RunObserver {
  readonly failures: Failure[] = [];
  problem: MusterError | undefined;
  /** Why slots got no work, by slot, where the pass was stopped for that. */
  readonly slotReasons = new Map<number, string>();
  private readonly controller = new AbortController();
  readonly stopSignal: AbortSignal;
  private readonly heldSince = new Map<number, { holder: string; sinceMs: number }>();
  private timer: NodeJS.Timeout | undefined;
  private nodeProblem: string | undefined;

  constructor(signal: AbortSignal) {
    this.stopSignal = AbortSignal.any([signal, this.controller.signal]);
  }

  end(): void {
    clearInterval(this.timer);
  }

  runStarted(view: RunView): void {
    let idleSinceMs: number | undefined;
    this.timer = setInterval(() => {
      const now = performance.now();
      const held = [...this.heldSince].find(([, { sinceMs }]) => now - sinceMs > HELD_LIMIT_MS);
      if (held !== undefined) this.stopHeld(held[0], held[1].holder);
      const { running, collecting, waiting, slots } = view.current;
      if (running > 0 || collecting > 0 || waiting.units === "0") idleSinceMs = undefined;
      else idleSinceMs ??= now;
      if (idleSinceMs === undefined || now - idleSinceMs <= IDLE_LIMIT_MS) return;
      for (const { slot, reason } of slots) if (reason !== undefined) this.slotReasons.set(slot, reason);
      this.stop(new MusterError("NO_SLOTS", this.nodeProblem ?? "no GPU there gets work"));
    }, LOOK_INTERVAL_MS);
  }

  nodeChanged({ state, reason }: NodeWorker): void {
    this.nodeProblem = state === "live" ? undefined : reason;
  }

  slotHolderChanged(_: NodeWorker, slot: number, holder: string | undefined): void {
    if (holder === undefined) this.heldSince.delete(slot);
    else this.heldSince.set(slot, { holder, sinceMs: this.heldSince.get(slot)?.sinceMs ?? performance.now() });
  }

  chunkFailed(failure: Failure): void {
    this.failures.push(failure);
  }

  private stopHeld(slot: number, holder: string): void {
    const next = "Wait until it has ended, or leave this node out.";
    this.stop(new MusterError("HELD", `slot ${slot} is held by ${holder}`, { next }));
  }

  private stop(problem: MusterError): void {
    this.problem ??= problem;
    this.controller.abort();
  }

  memoryPressureChanged(): void {}
  nodeWarning(): void {}
  notice(): void {}
  attemptFailed(): void {}
  recheckDiffered(): void {}
  chunksCommitted(): void {}
}
