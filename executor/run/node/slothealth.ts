import { adviseOnSickGpu } from "../../../fleet/gpus/gpuprobe.js";
import type { Event } from "../../schedule/events.js";
import type { RunCounters } from "../record/counters.js";
import type { RunObserver } from "../runobserver.js";
import type { NodeWorker } from "./nodeworker.js";

/** Who says that a slot's card is sick: the looks at all cards of a node, or its agent, which sees to them from chunk to chunk. */
type ComplaintSource = "looks" | "agent";

/** `lasting`: nobody should wait for it. */
interface SlotComplaint {
  slot: number;
  reason: string;
  lasting: boolean;
}

/** The slots of one node that are broken, or whose cards are sick. A card is well when nobody complains of it any more. */
export class SlotHealth {
  private readonly broken = new Set<number>();
  private readonly complaints: Record<ComplaintSource, Map<number, SlotComplaint>> = {
    looks: new Map(),
    agent: new Map(),
  };

  constructor(
    private readonly member: NodeWorker,
    private readonly observer: RunObserver,
    private readonly tally: RunCounters,
    private readonly event: (event: Event) => void,
  ) {}

  /** `evict`: what runs there hangs, most likely. */
  complain(source: ComplaintSource, complaint: SlotComplaint, evict: boolean): void {
    const { slot, reason, lasting } = complaint;
    const node = this.member.node.name;
    const isNew = !this.isSick(slot);
    this.complaints[source].set(slot, complaint);
    if (isNew) this.takenOut(slot, reason);
    if (lasting && this.tally.markNeedsReboot(node, slot))
      this.observer.nodeWarning(this.member, `slot ${slot} stays sick: reboot ${node}`);
    this.event({ type: "slotSick", node, slot, reason, evict, lasting });
  }

  withdraw(source: ComplaintSource, slot: number): void {
    if (!this.complaints[source].delete(slot) || this.isSick(slot)) return;
    const node = this.member.node.name;
    this.tally.enableSlot(node, slot);
    this.observer.nodeWarning(this.member, `slot ${slot} is well again`);
    this.event({ type: "slotRecovered", node, slot });
  }

  /** Its agent is there, and will say which slots are broken. */
  attached(): void {
    this.broken.clear();
  }

  /** A slot is of no use any more. */
  broke(slot: number, reason: string): void {
    this.broken.add(slot);
    this.takenOut(slot, reason);
    this.event({ type: "slotBroken", node: this.member.node.name, slot, reason });
  }

  /** All that the agent complains of now. */
  told(sick: SlotComplaint[]): void {
    const { agent } = this.complaints;
    const known = new Set(this.member.slots.map(({ slot }) => slot));
    const now = new Set(sick.map(({ slot }) => slot));
    for (const slot of [...agent.keys()].filter((one) => !now.has(one))) this.withdraw("agent", slot);
    for (const complaint of sick)
      if (known.has(complaint.slot) && agent.get(complaint.slot)?.lasting !== complaint.lasting)
        this.complain("agent", complaint, false);
  }

  /** Whether no slot of the node should be waited for. */
  get isHopeless(): boolean {
    const { looks, agent } = this.complaints;
    return this.member.slots.every(
      ({ slot }) => this.broken.has(slot) || looks.get(slot)?.lasting || agent.get(slot)?.lasting,
    );
  }

  private isSick(slot: number): boolean {
    return this.complaints.looks.has(slot) || this.complaints.agent.has(slot);
  }

  /** Says that a slot gets no work, why, and what to do. */
  takenOut(slot: number, reason: string): void {
    const { name, profile } = this.member.node;
    const isCard = profile.vendor !== "none" && reason.startsWith("GPU ");
    this.tally.disableSlot(name, slot, reason);
    const what = isCard ? `\n    ${adviseOnSickGpu(profile.vendor as "amd" | "nvidia")}` : "";
    this.observer.nodeWarning(this.member, `slot ${slot} is out: ${reason}${what}`);
  }
}
