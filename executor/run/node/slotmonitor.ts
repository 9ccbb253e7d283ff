import { listVendors } from "../../../fleet/gpus/gpugroups.js";
import { GPU_PROBE_TIMEOUT_SECONDS, QUICK_GPU_PROBE_TIMEOUT_SECONDS } from "../../../fleet/gpus/gpuprobe.js";
import type { Node } from "../../../fleet/node.js";
import type { Slot } from "../../schedule/events.js";
import type { AgentCommand, AgentMessage, KnownCards, ScriptResult } from "../agent/protocol.js";
import { GpuChecks, type VendorHealth } from "./gpuchecks.js";

/** Longest time between two checks while a GPU is sick, and shortest time to a check that follows a failed attempt. */
const RECHECK_INTERVAL_SECONDS = 10;
/** After this time an agent starts chunks without the first check: both probes, killing them, and two network round trips. */
export const FIRST_CHECK_TIMEOUT_SECONDS = QUICK_GPU_PROBE_TIMEOUT_SECONDS + GPU_PROBE_TIMEOUT_SECONDS + 4;
/** A GPU that was sick in this many consecutive checks is not expected to recover without a reboot. */
const LASTING_CHECK_COUNT = 5;

/** A change in the state of a node's slots that no attempt caused. */
export type SlotEvent =
  /**
   * A slot's GPU is sick; repeated with each check. `isNew`: the slot was healthy before. `evict`: the attempt that runs there
   * probably hangs. `lasting`: the slot is not expected to recover.
   */
  | { type: "slotSick"; slot: number; reason: string; isNew: boolean; evict: boolean; lasting: boolean }
  | { type: "slotRecovered"; slot: number }
  /** The slot cannot be used until the agent attaches again. */
  | { type: "slotBroken"; slot: number; reason: string }
  /** `holder` uses the slot; undefined = it is free again. */
  | { type: "slotHeld"; slot: number; holder: string | undefined }
  /** The next chunk of each of these slots, and of no other, waits for memory. */
  | { type: "memoryPressure"; slots: number[] }
  /** The GPUs cannot be checked; their slots stay in use. */
  | { type: "gpuCheckFailed"; reason: string };

/** Messages of an agent about its slots. */
export type SlotMessage = Extract<AgentMessage, { ev: "slot" | "broken" | "looked" | "memory" | "cards" }>;

/** Who found a GPU sick: the checks of all GPUs of a node, or the agent, which checks a slot's GPU between chunks. */
type HealthSource = "checks" | "agent";

interface SlotSickness {
  slot: number;
  reason: string;
  lasting: boolean;
}

/**
 * Monitors the slots of one node. It checks the GPUs when the agent attaches, every `gpu_check` seconds, sooner while a GPU is
 * sick and after an attempt failed; and it keeps what the agent reports about slots. A slot is healthy when neither finds it sick.
 *
 * Chunks on the node wait for the first check, so that starts with a quick probe of the kernel's files. The vendor's tools, which
 * may take seconds, follow only where the quick probe is not available or finds a problem. A node without such tools is not checked again.
 */
export class SlotMonitor {
  /** How many slots have a next chunk that waits for memory. */
  memoryWaitingSlots = 0;
  private slots: Slot[] = [];
  private readonly broken = new Set<number>();
  private readonly sick: Record<HealthSource, Map<number, SlotSickness>> = { checks: new Map(), agent: new Map() };
  /** Consecutive checks in which a slot's GPU was sick, by slot. */
  private readonly sickChecks = new Map<number, number>();
  private timer: NodeJS.Timeout | undefined;
  private checkedAtMs = Number.NEGATIVE_INFINITY;
  private isFirstCheck = true;
  private isStopped = false;
  private readonly checks: GpuChecks;

  constructor(
    private readonly node: Node,
    private readonly send: (command: AgentCommand) => void,
    private readonly emit: (event: SlotEvent) => void,
  ) {
    this.checks = new GpuChecks(node);
  }

  /** The PCI addresses of the GPUs, as far as they are known. */
  get cards(): KnownCards[] {
    return this.checks.cards;
  }

  /** Returns the PCI addresses of the slots' GPUs, by slot, as far as they are known. */
  get addresses(): ReadonlyMap<number, string> {
    const known = this.slots.flatMap((one): [number, string][] => {
      const pci = this.checks.addressOf(one);
      return pci === undefined ? [] : [[one.slot, pci]];
    });
    return new Map(known);
  }

  /** Begins the first check. Call it whenever an agent has attached; it will report broken slots itself. */
  start(slots: Slot[]): void {
    this.slots = slots;
    this.broken.clear();
    if (!hasGpusToCheck(this.node, slots)) return;
    this.isFirstCheck = true;
    clearTimeout(this.timer);
    const quick = this.checks.quickScripts;
    if (this.checks.isUnobservable) this.send({ op: "examined" });
    else if (quick === undefined) this.check();
    else this.send({ op: "look", scripts: quick, seconds: QUICK_GPU_PROBE_TIMEOUT_SECONDS });
  }

  /** Stops the checks; messages that still arrive are ignored. */
  stop(): void {
    clearTimeout(this.timer);
    this.isStopped = true;
  }

  /** Brings the next check forward, because a sick GPU may be why an attempt failed. */
  checkSoon(): void {
    const dueAtMs = this.checkedAtMs + recheckIntervalSeconds(this.node) * 1000;
    this.scheduleCheck(Math.max(0, dueAtMs - performance.now()));
  }

  /** Why GPUs are sick by the last check, one sentence for each GPU. What an agent reports may be the doing of other programs. */
  get sickGpus(): string[] {
    return [...new Set([...this.sick.checks.values()].map(({ reason }) => reason))];
  }

  /** Whether no slot is expected to be usable again. */
  get isHopeless(): boolean {
    const { checks, agent } = this.sick;
    return this.slots.every(
      ({ slot }) => this.broken.has(slot) || checks.get(slot)?.lasting || agent.get(slot)?.lasting,
    );
  }

  handleMessage(message: SlotMessage): void {
    if (this.isStopped) return;
    switch (message.ev) {
      case "looked":
        return this.handleProbe(message.answers);
      case "cards":
        return this.handleAgentReport(message.sick);
      case "memory":
        this.memoryWaitingSlots = message.waiting.length;
        return this.emit({ type: "memoryPressure", slots: message.waiting });
      case "slot":
        return this.emit({ type: "slotHeld", slot: message.slot, holder: describeHolder(message) });
      case "broken":
        this.broken.add(message.slot);
        return this.emit({ type: "slotBroken", slot: message.slot, reason: message.reason });
      default:
        return message satisfies never;
    }
  }

  private handleProbe(answers: ScriptResult[]): void {
    const found = this.checks.assess(answers);
    if (found === undefined) return this.check();
    for (const one of found) this.handleHealth(one);
    const cards = this.cards.filter(({ pci }) => pci.length > 0);
    if (this.isFirstCheck) this.send({ op: "examined", ...(cards.length > 0 ? { cards } : {}) });
    this.isFirstCheck = false;
    const seconds = this.sickChecks.size > 0 ? recheckIntervalSeconds(this.node) : this.node.gpuCheckSeconds;
    this.scheduleCheck(seconds * 1000);
  }

  private handleHealth({ health: { vendor, sick, toolError }, problem }: VendorHealth): void {
    if (problem !== undefined) this.emit({ type: "gpuCheckFailed", reason: problem });
    for (const one of this.slots) {
      const index = this.checks.indexOf(vendor, one);
      if (index === undefined) continue;
      const reason = sick.get(index);
      if (reason !== undefined) this.handleSickCheck(one.slot, reason);
      else if (toolError === undefined && this.sickChecks.delete(one.slot)) this.clearSick("checks", one.slot);
    }
  }

  private handleSickCheck(slot: number, reason: string): void {
    const count = (this.sickChecks.get(slot) ?? 0) + 1;
    this.sickChecks.set(slot, count);
    const sickness = { slot, reason, lasting: count >= LASTING_CHECK_COUNT };
    this.setSick("checks", sickness, this.isFirstCheck || count > 1);
  }

  /** `sick`: every slot that the agent finds sick now. */
  private handleAgentReport(sick: SlotSickness[]): void {
    const { agent } = this.sick;
    const known = new Set(this.slots.map(({ slot }) => slot));
    const reported = new Set(sick.map(({ slot }) => slot));
    for (const slot of [...agent.keys()].filter((one) => !reported.has(one))) this.clearSick("agent", slot);
    for (const sickness of sick)
      if (known.has(sickness.slot) && agent.get(sickness.slot)?.lasting !== sickness.lasting)
        this.setSick("agent", sickness, false);
  }

  private setSick(source: HealthSource, sickness: SlotSickness, evict: boolean): void {
    const isNew = !this.isSick(sickness.slot);
    this.sick[source].set(sickness.slot, sickness);
    this.emit({ type: "slotSick", ...sickness, isNew, evict });
  }

  private clearSick(source: HealthSource, slot: number): void {
    if (this.sick[source].delete(slot) && !this.isSick(slot)) this.emit({ type: "slotRecovered", slot });
  }

  private isSick(slot: number): boolean {
    return this.sick.checks.has(slot) || this.sick.agent.has(slot);
  }

  private scheduleCheck(delayMs: number): void {
    if (this.isStopped || this.checks.isUnobservable || this.node.gpuCheckSeconds === 0) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), delayMs);
  }

  private check(): void {
    const { fullScripts } = this.checks;
    if (fullScripts.length === 0) return;
    this.checkedAtMs = performance.now();
    this.send({ op: "look", scripts: fullScripts, seconds: GPU_PROBE_TIMEOUT_SECONDS });
  }
}

/** Whether GPUs are checked before these slots get a chunk. Those of an allocation are checked by its agent alone: the others are not ours. */
export function hasGpusToCheck(node: Node, slots: readonly Slot[]): boolean {
  if (node.allocation !== undefined) return false;
  return listVendors(node).length > 0 && node.gpuCheckSeconds > 0 && slots.some(({ gpu }) => gpu !== undefined);
}

function recheckIntervalSeconds({ gpuCheckSeconds }: Node): number {
  return Math.min(gpuCheckSeconds, RECHECK_INTERVAL_SECONDS);
}

/**
 * "run sieve"; where that has a lower priority, "run sieve, which ends its chunk within 5 s"; "uid 1001, pid 4711 (run sieve)" for
 * another user's; undefined where the slot is free.
 */
function describeHolder({ holder, foreign, ending }: Extract<AgentMessage, { ev: "slot" }>): string | undefined {
  if (holder === undefined || foreign === true) return holder;
  return ending === undefined ? `run ${holder}` : `run ${holder}, which ends its chunk within ${Math.ceil(ending)} s`;
}
