import { type Expected, judge } from "../../fleet/gpus/judge.js";
import { LOOK_SECONDS, lookScripts } from "../../fleet/gpus/look.js";
import type { Node } from "../../fleet/node.js";
import type { Slot } from "../schedule/events.js";
import type { Answer, ToAgent } from "./protocol.js";

/** Seconds between two looks at a node that has a sick card, and after a chunk failed, at least. */
const SOON = 10;
/** Seconds that slots have to bring a first result, which shows better than any tool that their cards are well. */
const FIRST = 1;
/** Looks in a row at which a card was sick before the node should be rebooted. */
const LASTING = 5;

/** What a watch tells of the slots of its node. */
export interface Patient {
  /** `looks`: how many in a row it was sick at. `evict`: what runs there hangs, most likely. */
  sick(slot: number, reason: string, looks: number, evict: boolean): void;
  well(slot: number): void;
  trouble(message: string): void;
}

/**
 * Looks at the GPUs of one node while a run uses them: a second after its agent was met, unless all slots have brought a
 * result by then, each `gpuCheck` seconds, sooner while a card is sick and after a chunk failed. Chunks do not wait for the
 * first look, for a tool may take seconds: what it finds on a sick card is taken back at once. Where there is no tool, there
 * is one look and no more.
 */
export class GpuWatch {
  private cards: string[] = [];
  /** Looks in a row at which a GPU was sick, by index. */
  private readonly counts = new Map<number, number>();
  private timer: NodeJS.Timeout | undefined;
  private looked = Number.NEGATIVE_INFINITY;
  private isFirst = true;
  /** Slots of GPUs that have brought no result since the agent was met. */
  private unproven = new Set<number>();
  private isBlind = false;
  private trouble: string | undefined;

  constructor(
    private readonly node: Node,
    private readonly slots: () => Slot[],
    private readonly send: (message: ToAgent) => void,
    private readonly patient: Patient,
  ) {}

  /** Its agent is there, for the first time or again. */
  attached(): void {
    this.isFirst = true;
    this.unproven = new Set(this.slots().flatMap(({ slot, gpu }) => (gpu === undefined ? [] : slot)));
    if (this.unproven.size > 0) this.lookIn(FIRST * 1000);
  }

  /** A chunk ended well on this slot. */
  worked(slot: number): void {
    if (!this.unproven.delete(slot) || this.unproven.size > 0 || !this.isFirst) return;
    this.isFirst = false;
    this.lookIn(this.node.gpuCheck * 1000);
  }

  /** A chunk failed here: is its card the reason? */
  failed(): void {
    const wait = this.looked + soon(this.node) * 1000 - performance.now();
    this.lookIn(Math.max(0, wait));
  }

  heard(answers: Answer[]): void {
    const { vendor } = this.node.profile;
    if (vendor === "none") return;
    const want: Expected = { vendor, count: this.node.gpus, addresses: this.node.pci ?? [] };
    const { cards, sick, trouble, blind } = judge(want, this.cards, answers);
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
    this.isFirst = false;
    this.unproven.clear();
    this.lookIn((this.counts.size > 0 ? soon(this.node) : this.node.gpuCheck) * 1000);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.isBlind = true;
  }

  /** Whether every slot has been sick for long. */
  get isHopeless(): boolean {
    return this.slots().every(({ gpu }) => gpu !== undefined && (this.counts.get(gpu) ?? 0) >= LASTING);
  }

  private tellSick(slot: number, gpu: number, reason: string): void {
    const looks = (this.counts.get(gpu) ?? 0) + 1;
    this.counts.set(gpu, looks);
    this.patient.sick(slot, reason, looks, this.isFirst || looks > 1);
  }

  private lookIn(milliseconds: number): void {
    if (this.isBlind || this.node.gpuCheck === 0) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), milliseconds);
  }

  private look(): void {
    const { vendor } = this.node.profile;
    if (vendor === "none") return;
    this.looked = performance.now();
    this.send({ op: "look", scripts: lookScripts(vendor), seconds: LOOK_SECONDS });
  }
}

/** Whether a card that is sick at so many looks in a row needs a reboot. */
export function isLasting(looks: number): boolean {
  return looks >= LASTING;
}

function soon({ gpuCheck }: Node): number {
  return Math.min(gpuCheck, SOON);
}
