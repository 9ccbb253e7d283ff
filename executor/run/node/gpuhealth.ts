import { assessGpus, type ExpectedGpus } from "../../../fleet/gpus/gpuhealth.js";
import {
  fullProbeScripts,
  GPU_PROBE_TIMEOUT_SECONDS,
  type GpuVendor,
  QUICK_GPU_PROBE_TIMEOUT_SECONDS,
  quickProbeScripts,
} from "../../../fleet/gpus/gpuprobe.js";
import type { Node } from "../../../fleet/node.js";
import type { Slot } from "../../schedule/events.js";
import type { AgentCommand, ScriptResult } from "../agent/protocol.js";

/** Seconds between two looks at a node that has a sick card, and after a chunk failed, at least. */
const RECHECK_INTERVAL_SECONDS = 10;
/** Seconds after which an agent waits for the first look no more: the glance, the tools, their death, and the ways there and back. */
export const FIRST_CHECK_TIMEOUT_SECONDS = QUICK_GPU_PROBE_TIMEOUT_SECONDS + GPU_PROBE_TIMEOUT_SECONDS + 4;
/** Looks in a row at which a card was sick before the node should be rebooted. */
const LASTING_CHECK_COUNT = 5;

/** What a watch tells of the slots of its node. */
export interface GpuHealthListener {
  /** At each look. `lasting`: it was sick at many in a row; `evict`: what runs there hangs, most likely. */
  sick(complaint: { slot: number; reason: string; lasting: boolean }, evict: boolean): void;
  well(slot: number): void;
  trouble(message: string): void;
}

/**
 * Looks at the GPUs of one node while a run uses them: as soon as its agent is met, each `gpuCheck` seconds, sooner while a card
 * is sick and after a chunk failed. Chunks wait on the node for the first look; so it is a glance at what the kernel tells, and
 * only where that is not all well, or the kernel tells nothing, a tool is asked, which may take seconds. Where there is no tool,
 * it is asked no more.
 */
export class GpuHealth {
  /** Addresses by GPU index, as far as they have ever been seen. */
  cards: string[];
  /** Looks in a row at which a GPU was sick, by index. */
  private readonly counts = new Map<number, number>();
  private timer: NodeJS.Timeout | undefined;
  private looked = Number.NEGATIVE_INFINITY;
  private isFirst = true;
  private isBlind = false;
  private trouble: string | undefined;

  constructor(
    private readonly node: Node,
    private readonly slots: () => Slot[],
    private readonly send: (message: AgentCommand) => void,
    private readonly patient: GpuHealthListener,
  ) {
    this.cards = node.pci ?? [];
  }

  /** Its agent is there, for the first time or again. */
  attached(): void {
    const vendor = vendorToCheck(this.node, this.slots());
    if (vendor === undefined) return;
    this.isFirst = true;
    clearTimeout(this.timer);
    const glance = quickProbeScripts(vendor);
    if (this.isBlind) this.send({ op: "examined" });
    else if (glance === undefined) this.look();
    else this.send({ op: "look", scripts: glance, seconds: QUICK_GPU_PROBE_TIMEOUT_SECONDS });
  }

  /** A chunk failed here: is its card the reason? */
  failed(): void {
    const wait = this.looked + recheckIntervalSeconds(this.node) * 1000 - performance.now();
    this.lookIn(Math.max(0, wait));
  }

  heard(answers: ScriptResult[]): void {
    const { vendor } = this.node.profile;
    if (vendor === "none") return;
    const want: ExpectedGpus = { vendor, count: this.node.gpus, addresses: this.node.pci ?? [] };
    const judged = assessGpus(want, this.cards, answers);
    if (judged.isQuick && !judged.areAllHealthy) return this.look();
    const { cards, sick, toolError: trouble, isUnobservable: blind } = judged;
    this.cards = cards;
    this.isBlind = blind;
    if (trouble !== undefined && trouble !== this.trouble) this.patient.trouble(`cannot look at its GPUs: ${trouble}`);
    this.trouble = trouble;
    for (const { slot, gpu } of this.slots())
      if (gpu !== undefined) {
        const reason = sick.get(gpu);
        if (reason !== undefined) this.tellSick(slot, gpu, reason);
        else if (trouble === undefined && this.counts.delete(gpu)) this.patient.well(slot);
      }
    if (this.isFirst) this.send({ op: "examined" });
    this.isFirst = false;
    this.lookIn((this.counts.size > 0 ? recheckIntervalSeconds(this.node) : this.node.gpuCheckSeconds) * 1000);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.isBlind = true;
  }

  private tellSick(slot: number, gpu: number, reason: string): void {
    const looks = (this.counts.get(gpu) ?? 0) + 1;
    this.counts.set(gpu, looks);
    this.patient.sick({ slot, reason, lasting: looks >= LASTING_CHECK_COUNT }, this.isFirst || looks > 1);
  }

  private lookIn(milliseconds: number): void {
    if (this.isBlind || this.node.gpuCheckSeconds === 0) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), milliseconds);
  }

  private look(): void {
    const { vendor } = this.node.profile;
    if (vendor === "none") return;
    this.looked = performance.now();
    this.send({ op: "look", scripts: fullProbeScripts(vendor), seconds: GPU_PROBE_TIMEOUT_SECONDS });
  }
}

/** Whose GPUs are looked at before these slots get a chunk; undefined: nobody's. */
export function vendorToCheck(node: Node, slots: Slot[]): GpuVendor | undefined {
  const { vendor } = node.profile;
  if (vendor === "none" || node.gpuCheckSeconds === 0 || slots.every(({ gpu }) => gpu === undefined)) return undefined;
  return vendor;
}

function recheckIntervalSeconds({ gpuCheckSeconds: gpuCheck }: Node): number {
  return Math.min(gpuCheck, RECHECK_INTERVAL_SECONDS);
}
