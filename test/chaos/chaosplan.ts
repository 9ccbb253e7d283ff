import { drawFaults, isChunkFault } from "./drawfaults.js";
import { COSTLY, type Fault, type FaultKind, KINDS, SILENCING } from "./faultkinds.js";
import { type ChunkFault, drawJob, type JobConstraints, type JobPlan } from "./jobplan.js";
import { Random } from "./random.js";

/**
 * What is run: one job, or a pipeline. `chain`: a, then b with what a made. `chain-command`: a, then a command, then b with what that
 * made. `parallel`: a and b side by side, then a command with what both made.
 */
export type PlannedWork =
  | { shape: "job"; jobs: [JobPlan] }
  | { shape: "chain" | "chain-command" | "parallel"; jobs: [JobPlan, JobPlan] };

/** Everything of one run, derived from its seed. */
export interface ChaosPlan {
  seed: number;
  kinds: FaultKind[];
  /** Slots of each node. */
  slots: number[];
  /** How soon a silent node is noticed, and how long its chunks are left to it; undefined = the defaults (40 s, 60 s). */
  timeouts: { silenceSeconds: number; graceSeconds: number } | undefined;
  /** How long an agent waits for a coordinator; undefined = the default (40 min). */
  leaseSeconds: number | undefined;
  work: PlannedWork;
  faults: Fault[];
  /** The command is given once more after the end. */
  runsAgain: boolean;
}

/** Kinds of faults to draw from. */
export interface KindSelection {
  only: readonly FaultKind[];
  except: readonly FaultKind[];
}

/** The plan of a seed. Pure. */
export function drawPlan(seed: number, { only, except }: KindSelection): ChaosPlan {
  const random = new Random(seed);
  const available = (only.length > 0 ? only : KINDS).filter((kind) => !except.includes(kind));
  const isPipeline = random.chance(0.2);
  const kinds = drawKinds(random, available, isPipeline);
  const slots = Array.from({ length: random.integer(1, 3) }, () => random.integer(1, 4));
  const faults = drawFaults(random, kinds, slots.length);
  return {
    seed,
    kinds,
    slots,
    timeouts: kinds.some((kind) => SILENCING.includes(kind)) ? { silenceSeconds: 5, graceSeconds: 4 } : undefined,
    leaseSeconds: kinds.includes("absence") ? 3 : undefined,
    work: drawWork(random, isPipeline, needsOf(random, kinds, slots)),
    faults,
    runsAgain: random.chance(0.25),
  };
}

/** Some kinds that go together; none where no available kind goes with this work. */
function drawKinds(random: Random, available: FaultKind[], isPipeline: boolean): FaultKind[] {
  const drawn = Array.from({ length: random.pick([1, 2, 2, 3, 3, 4, 5]) }, () => random.pick(available));
  const kinds = compatible(drawn, isPipeline);
  if (kinds.length > 0) return kinds;
  return compatible([...available.slice(random.integer(0, available.length - 1)), ...available], isPipeline).slice(
    0,
    1,
  );
}

/** Leaves out what does not go together: a run directory is a disk of its own, or copied; one chunk at most does wrong. */
function compatible(kinds: FaultKind[], isPipeline: boolean): FaultKind[] {
  const kept: FaultKind[] = [];
  const has = (...some: FaultKind[]) => some.some((kind) => kept.includes(kind));
  for (const kind of kinds) {
    if (isChunkFault(kind) && kept.some(isChunkFault)) continue;
    if (isPipeline && ["disk-full-here", "chunk-kills-agent-always", "chunk-fails-always"].includes(kind)) continue;
    if (kind === "disk-full-here" && has("copy", "restore", "move", "disk-full-here")) continue;
    if (["copy", "restore", "move"].includes(kind) && has("copy", "restore", "disk-full-here")) continue;
    // A machine that reboots loses the file system that is made for it.
    if (kind === "power-cycle" && has("disk-full-node")) continue;
    if (kind === "disk-full-node" && has("power-cycle")) continue;
    kept.push(kind);
  }
  return kept;
}

function needsOf(random: Random, kinds: FaultKind[], slots: number[]): Omit<JobConstraints, "isFed"> {
  const [, what, times] = /^chunk-(kills-agent|fails)-(once|always)$/.exec(kinds.find(isChunkFault) ?? "") ?? [];
  const crueler = what === "kills-agent" && random.chance(0.3) ? "kills-python" : what;
  const costly = kinds.filter((kind) => COSTLY.includes(kind)).length;
  return {
    slots: slots.reduce((sum, count) => sum + count, 0),
    attempts: 3 + costly + (times === "once" ? slots.length : 0),
    canBeQueue: !kinds.some((kind) => ["copy", "restore", "move"].includes(kind)),
    chunkFault: what === undefined ? undefined : ({ what: crueler, times } as Omit<ChunkFault, "item">),
  };
}

function drawWork(random: Random, isPipeline: boolean, needs: Omit<JobConstraints, "isFed">): PlannedWork {
  if (!isPipeline) return { shape: "job", jobs: [drawJob(random, { ...needs, isFed: false })] };
  const shape = random.pick(["chain", "chain-command", "parallel"] as const);
  const half = { ...needs, slots: needs.slots / 2, isFed: true };
  return { shape, jobs: [drawJob(random, half), drawJob(random, { ...half, chunkFault: undefined })] };
}
