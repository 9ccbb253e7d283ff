import { CHUNK_FAULTS, type ChunkFaultKind, type Fault, type FaultKind, type FaultMoment } from "./faultkinds.js";
import type { Random } from "./random.js";

const FAILPOINTS = ["attached", "sent-open", "sent-put", "sent-start", "started", "done", "pulled", "written"];
FAILPOINTS.push("published", "lined", "recorded", "journaled", "sent-ack", "sent-stop", "sorted", "aggregated");
FAILPOINTS.push("summarized", "closing", "closed", "step-begun", "step-done", "step-ended");
/** Failpoints that a run reaches more than once. */
const REPEATED_FAILPOINTS = [
  "sent-start",
  "started",
  "done",
  "written",
  "published",
  "lined",
  "recorded",
  "journaled",
  "sent-ack",
];

export function isChunkFault(kind: FaultKind): kind is ChunkFaultKind {
  return (CHUNK_FAULTS as readonly FaultKind[]).includes(kind);
}

/** Draws the faults of these kinds, in the order in which they are injected. */
export function drawFaults(random: Random, kinds: FaultKind[], nodes: number): Fault[] {
  const faults = kinds.filter((kind) => !isChunkFault(kind)).flatMap((kind) => drawFault(random, kind, nodes));
  const order = (fault: Fault) => (fault.kind === "copy" ? 1 : fault.share);
  return faults.sort((a, b) => order(a) - order(b));
}

function drawFault(random: Random, kind: Exclude<FaultKind, ChunkFaultKind>, nodes: number): Fault[] {
  const when: FaultMoment = { share: random.real(0, 0.85), delayMs: Math.round(random.real(0, 300)) };
  const node = random.integer(0, nodes - 1);
  const end = random.pick(["SIGKILL", "SIGINT"] as const);
  /** Usually short; sometimes longer than the silence timeout and grace period of the plan. */
  const forMs = Math.round(random.chance(0.25) ? random.real(9000, 12_000) : random.magnitude(200, 3000));
  switch (kind) {
    case "pause":
      return [{ ...when, kind, forMs: Math.round(random.magnitude(100, 3000)) }];
    case "absence":
      return [{ ...when, kind, forMs: Math.round(random.real(4500, 6000)) }];
    case "failpoint":
      return [{ ...when, kind, at: drawFailpoint(random) }];
    case "restart-sshd":
    case "drop-connections":
    case "kill-agent":
    case "kill-processes":
      return [{ ...when, kind, node }];
    case "delete-workdir": {
      const cancel = { ...when, delayMs: 0, kind: "cancel" as const };
      return [{ ...when, kind, node }, ...(random.chance(0.4) ? [cancel] : [])];
    }
    case "cut-off":
    case "pause-agent":
    case "disk-full-node":
      return [{ ...when, kind, node, forMs }];
    case "power-cycle":
      return [{ ...when, kind, node, forMs: random.chance(0.5) ? 0 : forMs }];
    case "copy":
      return [
        {
          ...when,
          kind,
          end,
          order: random.pick(["original-first", "copy-first", "side-by-side", "alternate"] as const),
        },
      ];
    case "restore": {
      const earlier = { share: random.real(0, when.share), delayMs: Math.round(random.real(0, 200)) };
      // After the restore, a coordinator that does not know the intermediate one starts where that one started.
      const between = { share: random.real(earlier.share, when.share), delayMs: 0, kind: "kill" as const };
      return [{ ...earlier, kind: "backup" }, ...(random.chance(0.7) ? [between] : []), { ...when, kind, end }];
    }
    case "move":
      return [{ ...when, kind, end }];
    case "disk-full-here":
      return [{ ...when, kind, forMs: Math.round(random.magnitude(500, 3000)) }];
    default:
      return [{ ...when, kind }];
  }
}

function drawFailpoint(random: Random): string {
  const step = random.pick(FAILPOINTS);
  return REPEATED_FAILPOINTS.includes(step) && random.chance(0.6) ? `${step}:${random.integer(2, 12)}` : step;
}
