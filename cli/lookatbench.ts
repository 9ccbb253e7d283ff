import type { BenchCard } from "../executor/bench/benchcards.js";
import type { BenchFindings } from "../executor/bench/benchfindings.js";
import type { BenchedNode } from "../executor/bench/benchnode.js";
import { selectNodeSlots } from "../executor/run/node/selectnodeslots.js";
import type { Connection } from "../fleet/connection.js";
import { describeDrain } from "../fleet/drains.js";
import { forEachNode } from "../fleet/eachnode.js";
import { type Facts, gatherFacts } from "../fleet/facts.js";
import { listAddresses, listGpuGroups } from "../fleet/gpus/gpugroups.js";
import { findGpuUsers } from "../fleet/healing/bystanders.js";
import type { Node } from "../fleet/node.js";
import { MusterError } from "../schemas/errors.js";
import { type CapRequest, planCaps } from "./benchcaps.js";

type LeftOut = BenchFindings["leftOut"][number];

/** The nodes that can be measured, those that cannot, and what the user should know. */
export interface LookedAtNodes {
  ready: BenchedNode[];
  leftOut: LeftOut[];
  notes: string[];
}

/** Connects to nodes, finds their GPUs, and who uses them: nodes in use are left out. `caps`: undefined = limits are not changed. */
export async function lookAtBenchNodes(
  nodes: Node[],
  caps: CapRequest | undefined,
  done: (node: Node) => void,
): Promise<LookedAtNodes> {
  const notes: string[] = [];
  const outcomes = await forEachNode(
    nodes,
    (connection) => lookAtNode(connection, caps, notes),
    ({ node }) => done(node),
  );
  const found = outcomes.map((outcome): BenchedNode | LeftOut => {
    if ("value" in outcome) return outcome.value;
    const { node, error } = outcome;
    return { node: node.name, reason: error.textFor(node.name), next: error.next };
  });
  const isReady = (one: BenchedNode | LeftOut): one is BenchedNode => "cards" in one;
  return { ready: found.filter(isReady), leftOut: found.filter((one): one is LeftOut => !isReady(one)), notes };
}

async function lookAtNode(
  connection: Connection,
  caps: CapRequest | undefined,
  notes: string[],
): Promise<BenchedNode | LeftOut> {
  const { node } = connection;
  const cards = listCardsOf(node, await gatherFacts(connection));
  const users = await findUsers(connection, notes);
  if (users.length > 0)
    return {
      node: node.name,
      reason: users.join("; "),
      next: "Wait until they have ended; `muster drain` keeps new chunks away meanwhile.",
      isBusy: true,
    };
  return { node, cards, limits: await planCaps(connection, cards, caps) };
}

/** Who uses the GPUs, as far as this may be seen: what root alone sees is noted where the user may not. */
async function findUsers(connection: Connection, notes: string[]): Promise<string[]> {
  try {
    return await findGpuUsers(connection);
  } catch (error) {
    if (!(error instanceof MusterError) || error.code !== "SUDO") throw error;
    notes.push(`${connection.node.name}: whether others use its GPUs is not known: ${error.reason}`);
    return [];
  }
}

/** Returns the cards behind the GPU slots of a node. Throws NO_SLOTS where there are none. */
function listCardsOf(node: Node, facts: Facts): BenchCard[] {
  const { slots } = selectNodeSlots(node, facts, { gpus: 1, gpuShare: 1, playbooks: [] });
  const groups = listGpuGroups(node);
  return slots.flatMap(({ slot, gpu, card }): BenchCard[] => {
    const profile = groups.find((one) => one.profile.name === card?.kind)?.profile ?? node.profile;
    const device = card?.device ?? gpu;
    if (device === undefined || profile.vendor === "none") return [];
    const listed = listAddresses(groups.filter((one) => one.profile.vendor === profile.vendor));
    const found = facts.gpus.filter(({ vendor }) => vendor === profile.vendor);
    const own = found.some((one) => !one.integrated) ? found.filter((one) => !one.integrated) : found;
    const pci = listed[device] ?? own[device]?.pci;
    return [
      {
        node: node.name,
        slot,
        ...(pci ? { pci } : {}),
        vendor: profile.vendor,
        kind: profile.model ?? own[device]?.model ?? profile.name,
        ...(profile.name === "none" ? {} : { profile: profile.name }),
      },
    ];
  });
}

/** Splits nodes into those that may be measured, and those that are drained: a user who names one means it. */
export function leaveOutDrained(nodes: Node[], areNamed: boolean): { nodes: Node[]; leftOut: LeftOut[] } {
  const isOut = (node: Node) => node.drain !== undefined && !areNamed;
  return {
    nodes: nodes.filter((node) => !isOut(node)),
    leftOut: nodes.filter(isOut).map(({ name, drain }) => ({
      node: name,
      reason: describeDrain(drain!),
      next: `Name it to measure it: muster bench ${name}`,
    })),
  };
}

/** Returns the nodes that have GPUs by the inventory. */
export function filterGpuNodes(nodes: Node[]): Node[] {
  return nodes.filter((node) => listGpuGroups(node).length > 0 && node.gpus !== 0);
}
