import { expectGpus } from "../../../fleet/gpus/gpugroups.js";
import { assessGpus, type ExpectedGpus, type GpuHealth } from "../../../fleet/gpus/gpuhealth.js";
import { fullProbeScripts, quickProbeScripts } from "../../../fleet/gpus/gpuprobe.js";
import type { GpuVendor } from "../../../fleet/gpus/probeoutput.js";
import type { ReportedFields } from "../../../fleet/gpus/sickness.js";
import type { Node } from "../../../fleet/node.js";
import type { Slot } from "../../schedule/events.js";
import type { KnownCards, ScriptResult } from "../agent/protocol.js";

/** What a check says of the GPUs of one vendor. `problem`: why it gave no report, where the last check said something else. */
export interface VendorHealth {
  readonly health: GpuHealth;
  readonly problem: string | undefined;
}

/** What the GPUs of one vendor have shown so far. A GPU that stops reporting a field is sick. */
interface VendorMemory {
  readonly expected: ExpectedGpus;
  cards: string[];
  reported: ReportedFields;
  problem: string | undefined;
  isUnobservable: boolean;
}

/** Checks the GPUs of one node, those of each vendor by its own tools, and remembers what they have shown. */
export class GpuChecks {
  private readonly vendors: VendorMemory[];

  constructor(node: Node) {
    this.vendors = expectGpus(node).map((expected) => {
      const reported: ReportedFields = new Map();
      return { expected, cards: expected.addresses, reported, problem: undefined, isUnobservable: false };
    });
  }

  /** The PCI addresses of the GPUs, as far as they are known. */
  get cards(): KnownCards[] {
    return this.vendors.map(({ expected: { vendor }, cards }) => ({ vendor, pci: cards }));
  }

  /** Returns the PCI address of a slot's GPU; undefined = it has none, or it is not known yet. */
  addressOf(slot: Slot): string | undefined {
    return this.vendors
      .map(({ expected: { vendor }, cards }) => cards[this.indexOf(vendor, slot) ?? -1])
      .find((pci) => pci !== undefined);
  }

  /** Whether no vendor's tool is there, so that further checks are useless. */
  get isUnobservable(): boolean {
    return this.vendors.every(({ isUnobservable }) => isUnobservable);
  }

  /** The scripts of a check within milliseconds; undefined = some of the GPUs need more. */
  get quickScripts(): string[] | undefined {
    const [first, ...others] = this.vendors;
    return first === undefined || others.length > 0 ? undefined : quickProbeScripts(first.expected.vendor);
  }

  get fullScripts(): string[] {
    return this.vendors.flatMap(({ expected }) => fullProbeScripts(expected.vendor));
  }

  /** Assesses the answers to the quick or the full scripts. undefined = only the full ones can tell. */
  assess(answers: readonly ScriptResult[]): VendorHealth[] | undefined {
    const isSplit = this.vendors.length > 1;
    let start = 0;
    const found = this.vendors.map((memory) => {
      const { expected, cards, reported } = memory;
      const end = isSplit ? start + fullProbeScripts(expected.vendor).length : answers.length;
      const health = assessGpus(expected, cards, answers.slice(start, end), reported);
      start = end;
      memory.reported = health.reported;
      return { memory, health };
    });
    if (found.some(({ health }) => health.isQuick && !health.areAllHealthy)) return undefined;
    return found.map(({ memory, health }): VendorHealth => {
      const problem = health.toolError ?? health.missingTool;
      const isNew = problem !== memory.problem;
      const { cards, isUnobservable } = health;
      Object.assign(memory, { cards, isUnobservable, problem });
      return { health, problem: isNew ? problem : undefined };
    });
  }

  /** Returns the index of a slot's GPU among those of a vendor; undefined = it has none of them. */
  indexOf(vendor: GpuVendor, { gpu, card }: Slot): number | undefined {
    if (card !== undefined) return card.vendor === vendor ? card.device : undefined;
    return gpu;
  }
}
