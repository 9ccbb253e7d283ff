import type { Event, Instruction } from "../../schedule/events.js";
import type { AgentMessage } from "../agent/protocol.js";
import type { RunCounters } from "../record/counters.js";
import type { RunObserver } from "../runobserver.js";
import { GpuHealth } from "./gpuhealth.js";
import type { NodeWorker } from "./nodeworker.js";
import { SlotHealth } from "./slothealth.js";

type SlotMessage = Extract<AgentMessage, { ev: "slot" | "broken" | "looked" | "memory" | "cards" }>;
type QuarantineInstruction = Extract<Instruction, { do: "quarantine" | "release" }>;

/** What is known of the cards of a node. */
interface NodeHealth {
  watch: GpuHealth;
  sick: SlotHealth;
}

/** What becomes known of slots, beside what their attempts come to: held by others, broken, sick, not to be trusted. */
export class SlotEvents {
  private readonly wards = new Map<NodeWorker, NodeHealth>();

  constructor(
    private readonly observer: RunObserver,
    private readonly tally: RunCounters,
    private readonly event: (event: Event) => void,
  ) {}

  /** Its agent has been met. */
  attached(member: NodeWorker): void {
    const { watch, sick } = this.ward(member);
    sick.attached();
    watch.attached();
  }

  /** An attempt failed on it. */
  failed(member: NodeWorker | undefined): void {
    if (member !== undefined) this.ward(member).watch.failed();
  }

  heard(member: NodeWorker, message: SlotMessage): void {
    const { watch, sick } = this.ward(member);
    switch (message.ev) {
      case "looked":
        watch.heard(message.answers);
        member.gpuAddresses = watch.cards;
        return;
      case "cards":
        return sick.told(message.sick);
      case "memory":
        member.memoryWaitingSlots = message.waiting.length;
        this.observer.memoryPressureChanged(member);
        return this.event({ type: "memoryPressure", node: member.node.name, slots: message.waiting });
      case "slot": {
        const holder = describeHolder(message);
        this.observer.slotHolderChanged(member, message.slot, holder);
        return this.event({ type: "slotHeld", node: member.node.name, slot: message.slot, holder });
      }
      case "broken":
        return sick.broke(message.slot, message.reason);
    }
  }

  judged(member: NodeWorker, verdict: QuarantineInstruction): void {
    const { node, slot } = verdict;
    if (verdict.do === "release") {
      this.tally.enableSlot(node, slot);
      return this.observer.nodeWarning(member, `slot ${slot} is well again`);
    }
    this.tally.disableSlot(node, slot, verdict.reason);
    this.observer.nodeWarning(member, `slot ${slot} gets no work for ${verdict.seconds} s: ${verdict.reason}`);
  }

  /** Whether nothing can be expected of it: it is not there, or none of its slots is sound, or has been well for long. */
  isHopeless(member: NodeWorker): boolean {
    if (member.state === "away" || member.state === "refused") return true;
    return member.state === "live" && this.ward(member).sick.isHopeless;
  }

  stop(): void {
    for (const { watch } of this.wards.values()) watch.stop();
  }

  private ward(member: NodeWorker): NodeHealth {
    const known = this.wards.get(member);
    if (known !== undefined) return known;
    const sick = new SlotHealth(member, this.observer, this.tally, this.event);
    const watch = new GpuHealth(
      member.node,
      () => member.slots,
      (message) => member.send(message),
      {
        trouble: (message) => this.observer.nodeWarning(member, message),
        sick: (complaint, evict) => sick.complain("looks", complaint, evict),
        well: (slot) => sick.withdraw("looks", slot),
      },
    );
    this.wards.set(member, { watch, sick });
    return { watch, sick };
  }
}

/** "run sieve", or "uid 1001, pid 4711 (run sieve)" of another user; undefined where the GPU is free again. */
function describeHolder({ holder, foreign }: Extract<AgentMessage, { ev: "slot" }>): string | undefined {
  return holder === undefined || foreign === true ? holder : `run ${holder}`;
}
