import { formatLocalTime } from "../../schemas/localtime.js";
import { type Drain, describeDrain } from "../drains.js";
import {
  type HealAction,
  type Healing,
  listRecentHealings,
  type NodeCondition,
  type NodeRecord,
} from "./healrecord.js";
import type { HealSettings } from "./healsettings.js";

/** A node of the fleet as the last look found it. */
export interface FleetNode {
  name: string;
  /** Identifies its machine: nodes with the same text are rebooted together. */
  machine: string;
  /** muster runs on it. */
  isThisMachine: boolean;
  condition: NodeCondition;
  drain?: Drain | undefined;
  canPowerCycle: boolean;
  /** Whether it may be healed now; the others only tell how the fleet is. */
  isSelected: boolean;
  /** What keeps it from being rebooted, a sentence each: who would lose work. Only looked for where it answers and is sick. */
  obstacles: readonly string[];
  /** With this look. */
  record: NodeRecord;
}

/** What is to be done about a node. `reason`: what is wrong with it. `why`: why it is not healed now. */
export type HealDecision = { node: string; reason: string } & (
  | { do: "heal"; from: "away" | "sick"; action: HealAction }
  /** It was healed too often: a person has to look. */
  | { do: "give up"; why: string }
  /** It may be healed later; from `untilMs` (Unix time) on, where that is known. */
  | { do: "wait"; why: string; untilMs?: number }
  | { do: "leave"; why: string }
  /** It is well again, so that the drain of a healing ends. */
  | { do: "release" }
);

/** Nodes that went away within this time of each other vanished together. */
const TOGETHER_MS = 60_000;

/**
 * Decides what is done about each selected node that is away or sick, those that have been so for longest first, at `nowMs` (Unix time). Nodes
 * `inProgress` are being healed: they count as healed at once, and there is no decision about them. Pure.
 */
export function decideHealing(
  fleet: readonly FleetNode[],
  settings: HealSettings,
  nowMs: number,
  inProgress: ReadonlySet<string> = new Set(),
): HealDecision[] {
  const busy = new Set(inProgress);
  const bySince = [...fleet].sort((a, b) => sinceOf(a, nowMs) - sinceOf(b, nowMs));
  return bySince.flatMap((node): HealDecision[] => {
    if (inProgress.has(node.name) || !node.isSelected) return [];
    const decision = decideNode(node, fleet, settings, nowMs, busy);
    if (decision?.do === "heal") busy.add(node.name);
    return decision === undefined ? [] : [decision];
  });
}

function decideNode(
  node: FleetNode,
  fleet: readonly FleetNode[],
  settings: HealSettings,
  nowMs: number,
  busy: ReadonlySet<string>,
): HealDecision | undefined {
  const { name, condition, drain, record } = node;
  if (condition.kind === "well")
    return drain?.healing ? { node: name, reason: "it is well again", do: "release" } : undefined;
  const reason = `${condition.kind}: ${condition.reason}`;
  const base = { node: name, reason };
  const leave = (why: string): HealDecision => ({ ...base, do: "leave", why });
  if (node.isThisMachine) return leave("muster runs on this machine");
  if (condition.kind === "refused") return leave("it answers, and a reboot would not change that");
  if (drain !== undefined && !drain.healing) return leave(`it is ${describeDrain(drain)}`);
  if (condition.kind === "sick" && !settings.reboot.includes(condition.cause))
    return leave(`\`reboot\` of \`heal\` does not name ${condition.cause}`);
  const dueMs = sinceOf(node, nowMs) + settings.afterSeconds * 1000;
  if (nowMs < dueMs) return { ...base, do: "wait", why: `it is healed from ${describeTime(dueMs)} on`, untilMs: dueMs };
  const network = findNetworkDoubt(node, fleet, busy, nowMs);
  if (network !== undefined) return leave(network);
  const recent = listRecentHealings(record, nowMs);
  const action = chooseAction(node, recent.at(-1));
  if (action === undefined) return leave("it has no `power_cycle` command");
  if (recent.length >= settings.mostPerDay) return { ...base, do: "give up", why: describeLimit(recent.length) };
  const pausedUntilMs = findPauseEnd(recent, settings.pauseSeconds);
  if (pausedUntilMs > nowMs) {
    const why = `${describeHealings(recent.length)}; the next healing is from ${describeTime(pausedUntilMs)} on`;
    return { ...base, do: "wait", why, untilMs: pausedUntilMs };
  }
  if (node.obstacles.length > 0) return { ...base, do: "wait", why: node.obstacles.join("; ") };
  if (busy.size >= settings.atOnce) return { ...base, do: "wait", why: `${[...busy].join(", ")} is healed first` };
  return { ...base, do: "heal", from: condition.kind, action };
}

/** Since when a node is away or sick (Unix time). */
function sinceOf({ record: { unwell } }: FleetNode, nowMs: number): number {
  return unwell === undefined ? nowMs : Date.parse(unwell.since);
}

/** Returns why it may be our own network, or this machine, that is at fault; undefined where it is not. */
function findNetworkDoubt(
  node: FleetNode,
  fleet: readonly FleetNode[],
  busy: ReadonlySet<string>,
  nowMs: number,
): string | undefined {
  const remote = fleet.filter(({ isThisMachine }) => !isThisMachine);
  const healed = new Set(fleet.flatMap(({ name, machine }) => (busy.has(name) ? [machine] : [])));
  const answers = ({ machine, condition }: FleetNode) =>
    machine !== node.machine && condition.kind !== "away" && !healed.has(machine);
  if (!remote.some(answers)) return "no other node answers: it may be our own network";
  if (node.condition.kind !== "away") return undefined;
  const vanished = remote.filter(
    (one) =>
      one.condition.kind === "away" &&
      !busy.has(one.name) &&
      Math.abs(sinceOf(one, nowMs) - sinceOf(node, nowMs)) <= TOGETHER_MS,
  );
  const [lost, all] = [countMachines(vanished), countMachines(remote)];
  if (lost < 2 || 2 * lost < all) return undefined;
  return `${lost} of ${all} machines vanished within a minute: it may be our own network`;
}

function countMachines(nodes: readonly FleetNode[]): number {
  return new Set(nodes.map(({ machine }) => machine)).size;
}

/** A node that answers is rebooted first, and power-cycled where that did not help. */
function chooseAction({ condition, canPowerCycle }: FleetNode, last: Healing | undefined): HealAction | undefined {
  if (condition.kind === "away") return canPowerCycle ? "power-cycle" : undefined;
  const hasRebootFailed = last?.action === "reboot" && last.outcome !== "healed";
  return hasRebootFailed && canPowerCycle ? "power-cycle" : "reboot";
}

/** Returns when the next healing may begin (Unix time): the pause doubles with each healing within 24 hours. */
function findPauseEnd(recent: readonly Healing[], pauseSeconds: number): number {
  const last = recent.at(-1);
  return last === undefined ? 0 : Date.parse(last.at) + pauseSeconds * 1000 * 2 ** (recent.length - 1);
}

function describeHealings(count: number): string {
  return count === 1 ? "it was healed once within 24 hours" : `it was healed ${count} times within 24 hours`;
}

function describeLimit(count: number): string {
  return `${describeHealings(count)}, and needs it again`;
}

function describeTime(ms: number): string {
  return formatLocalTime(new Date(ms), "seconds");
}
