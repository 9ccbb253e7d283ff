import type { Event, Instruction } from "../../schedule/events.js";
import type { AgentMessage } from "../agent/protocol.js";
import type { Observer } from "../observer.js";
import type { Tally } from "../record/tally.js";
import { GpuWatch } from "./gpuwatch.js";
import type { Member } from "./member.js";
import { SickSlots } from "./sickslots.js";

type SlotMessage = Extract<AgentMessage, { ev: "slot" | "broken" | "looked" | "memory" | "cards" }>;
type Verdict = Extract<Instruction, { do: "quarantine" | "release" }>;

/** What is known of the cards of a node. */
interface Ward {
  watch: GpuWatch;
  sick: SickSlots;
}

/** What becomes known of slots, beside what their attempts come to: held by others, broken, sick, not to be trusted. */
export class SlotNews {
  private readonly wards = new Map<Member, Ward>();

  constructor(
    private readonly observer: Observer,
    private readonly tally: Tally,
    private readonly event: (event: Event) => void,
  ) {}

  /** Its agent has been met. */
  attached(member: Member): void {
    const { watch, sick } = this.ward(member);
    sick.attached();
    watch.attached();
  }

  /** An attempt failed on it. */
  failed(member: Member | undefined): void {
    if (member !== undefined) this.ward(member).watch.failed();
  }

  heard(member: Member, message: SlotMessage): void {
    const { watch, sick } = this.ward(member);
    switch (message.ev) {
      case "looked":
        watch.heard(message.answers);
        member.cards = watch.cards;
        return;
      case "cards":
        return sick.told(message.sick);
      case "memory":
        member.short = message.waiting.length;
        this.observer.memory(member);
        return this.event({ type: "memoryPressure", node: member.node.name, slots: message.waiting });
      case "slot": {
        const holder = describeHolder(message);
        this.observer.slot(member, message.slot, holder);
        return this.event({ type: "slotHeld", node: member.node.name, slot: message.slot, holder });
      }
      case "broken":
        return sick.broke(message.slot, message.reason);
    }
  }

  judged(member: Member, verdict: Verdict): void {
    const { node, slot } = verdict;
    if (verdict.do === "release") {
      this.tally.tookBack(node, slot);
      return this.observer.problem(member, `slot ${slot} is well again`);
    }
    this.tally.tookOut(node, slot, verdict.reason);
    this.observer.problem(member, `slot ${slot} gets no work for ${verdict.seconds} s: ${verdict.reason}`);
  }

  /** Whether nothing can be expected of it: it is not there, or none of its slots is sound, or has been well for long. */
  isHopeless(member: Member): boolean {
    if (member.state === "away" || member.state === "refused") return true;
    return member.state === "live" && this.ward(member).sick.isHopeless;
  }

  stop(): void {
    for (const { watch } of this.wards.values()) watch.stop();
  }

  private ward(member: Member): Ward {
    const known = this.wards.get(member);
    if (known !== undefined) return known;
    const sick = new SickSlots(member, this.observer, this.tally, this.event);
    const watch = new GpuWatch(
      member.node,
      () => member.slots,
      (message) => member.send(message),
      {
        trouble: (message) => this.observer.problem(member, message),
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
