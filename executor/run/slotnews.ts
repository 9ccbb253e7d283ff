import { AMD_ADVICE } from "../../fleet/gpus/look.js";
import type { Event, Instruction } from "../schedule/events.js";
import { GpuWatch, isLasting } from "./gpuwatch.js";
import type { Member } from "./member.js";
import type { Observer } from "./observer.js";
import type { FromAgent } from "./protocol.js";
import type { Tally } from "./tally.js";

type SlotMessage = Extract<FromAgent, { ev: "slot" | "broken" | "looked" | "memory" }>;
type Verdict = Extract<Instruction, { do: "distrust" | "trust" }>;

/** What becomes known of slots, beside what their attempts come to: held by others, broken, sick, not to be trusted. */
export class SlotNews {
  private readonly watches = new Map<Member, GpuWatch>();

  constructor(
    private readonly observer: Observer,
    private readonly tally: Tally,
    private readonly event: (event: Event) => void,
  ) {}

  /** Its agent has been met. */
  attached(member: Member): void {
    let watch = this.watches.get(member);
    if (watch === undefined) {
      watch = this.watchOf(member);
      this.watches.set(member, watch);
    }
    watch.attached();
  }

  /** An attempt ended well on a slot. */
  worked(member: Member, slot: number): void {
    this.watches.get(member)?.worked(slot);
  }

  /** An attempt failed on it. */
  failed(member: Member | undefined): void {
    if (member !== undefined) this.watches.get(member)?.failed();
  }

  heard(member: Member, message: SlotMessage): void {
    if (message.ev === "looked") return this.watches.get(member)?.heard(message.answers);
    if (message.ev === "memory") {
      member.short = message.waiting;
      return this.observer.memory(member);
    }
    const { slot } = message;
    if (message.ev === "slot") this.observer.slot(member, slot, message.holder);
    else this.takenOut(member, slot, message.reason);
    const usable = message.ev === "slot" && message.holder === undefined;
    this.event({ type: "slot", node: member.node.name, slot, usable });
  }

  judged(member: Member, verdict: Verdict): void {
    const { node, slot } = verdict;
    if (verdict.do === "trust") {
      this.tally.tookBack(node, slot);
      return this.observer.problem(member, `slot ${slot} is well again`);
    }
    this.tally.tookOut(node, slot, verdict.reason);
    this.observer.problem(member, `slot ${slot} gets no work for ${verdict.seconds} s: ${verdict.reason}`);
  }

  /** Whether nothing can be expected of it: it is not there, or none of its slots has been well for long. */
  isHopeless(member: Member): boolean {
    if (member.state === "away" || member.state === "refused") return true;
    return member.state === "live" && this.isSick(member);
  }

  private isSick(member: Member): boolean {
    return this.watches.get(member)?.isHopeless ?? false;
  }

  stop(): void {
    for (const watch of this.watches.values()) watch.stop();
  }

  private watchOf(member: Member): GpuWatch {
    const node = member.node.name;
    return new GpuWatch(
      member.node,
      () => member.slots,
      (message) => member.send(message),
      {
        trouble: (message) => this.observer.problem(member, message),
        sick: (slot, reason, looks, evict) => {
          if (looks === 1) this.takenOut(member, slot, reason);
          const lasting = isLasting(looks);
          if (lasting && this.tally.needsReboot(node, slot))
            this.observer.problem(member, `slot ${slot} stays sick: reboot ${node}`);
          this.event({ type: "sick", node, slot, reason, evict, lasting });
        },
        well: (slot) => {
          this.tally.tookBack(node, slot);
          this.observer.problem(member, `slot ${slot} is well again`);
          this.event({ type: "well", node, slot });
        },
      },
    );
  }

  private takenOut(member: Member, slot: number, reason: string): void {
    this.tally.tookOut(member.node.name, slot, reason);
    const advice = member.node.profile.vendor === "amd" && reason.startsWith("GPU ") ? `\n    ${AMD_ADVICE}` : "";
    this.observer.problem(member, `slot ${slot} is out: ${reason}${advice}`);
  }
}
