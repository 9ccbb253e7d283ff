import type { BenchCard } from "../executor/bench/benchcards.js";
import type { LimitPlan, PowerLimiter } from "../executor/bench/benchnode.js";
import { Dialer } from "../fleet/connect.js";
import type { Connection } from "../fleet/connection.js";
import type { GpuVendor } from "../fleet/gpus/probeoutput.js";
import type { Node } from "../fleet/node.js";
import { type CardLimits, chooseLimits, findLimitRefusal, readCardLimits } from "../playbooks/power/cardlimits.js";
import { checkMayLimit, NodeLimiter } from "../playbooks/power/nodelimiter.js";
import { MusterError, UsageError } from "../schemas/errors.js";
import { parsePower } from "../schemas/quantity.js";

/** The power limits that are to be measured, in watts; "auto": some between the lowest and the highest of the cards. */
export type CapRequest = "auto" | readonly number[];

/** The most limits of one bench. */
const MAX_CAPS = 16;

/** Parses `--caps`. Throws UsageError. */
export function parseCaps(text: string): CapRequest {
  if (text === "auto") return text;
  const caps = text.split(",").map((word) => {
    const parsed = parsePower(/^\d+(\.\d+)?$/.test(word.trim()) ? Number(word) : word.trim());
    if (!parsed.ok)
      throw new UsageError(
        `--caps ${text}: "${word}" ${parsed.message}`,
        "For example --caps 80W,100W,120W or --caps auto.",
      );
    return parsed.value;
  });
  if (caps.length > MAX_CAPS) throw new UsageError(`--caps ${text}: at most ${MAX_CAPS} limits`);
  return [...new Set(caps)].sort((a, b) => a - b);
}

/** Plans the limits of a node's cards, and checks that every card takes them. Nothing is changed. */
export async function planCaps(
  connection: Connection,
  cards: readonly BenchCard[],
  request: CapRequest | undefined,
): Promise<LimitPlan | undefined> {
  if (request === undefined) return undefined;
  const refuse = (refusal: string): LimitPlan => ({ refusal });
  const addresses = cards.flatMap(({ pci }) => pci ?? []);
  if (addresses.length < cards.length) return refuse("the PCI addresses of its GPUs are not known");
  try {
    const limits = await readAllLimits(connection, cards);
    const all = new Map([...limits.values()].flatMap((one) => [...one]));
    const caps = request === "auto" ? chooseLimits(all, addresses) : request;
    if (caps.length === 0) return refuse("its GPUs do not say which power limits they take");
    const refusal = caps.map((watts) => findLimitRefusal(all, addresses, watts)).find((one) => one !== undefined);
    if (refusal !== undefined) return refuse(refusal);
    await checkMayLimit(connection);
    return { caps, start: () => startLimiters(connection.node, cards) };
  } catch (error) {
    if (!(error instanceof MusterError) || error.code === "LOST") throw error;
    return refuse(error.reason);
  }
}

async function readAllLimits(connection: Connection, cards: readonly BenchCard[]): Promise<Map<GpuVendor, CardLimits>> {
  const limits = new Map<GpuVendor, CardLimits>();
  for (const vendor of new Set(cards.map((card) => card.vendor)))
    limits.set(vendor, await readCardLimits(connection, vendor));
  return limits;
}

/** Starts what changes the limits, for each vendor over a connection of its own. */
async function startLimiters(node: Node, cards: readonly BenchCard[]): Promise<PowerLimiter> {
  const limiters: NodeLimiter[] = [];
  const restore = async () => {
    const ends = await Promise.allSettled(limiters.map((one) => one.restore()));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  };
  try {
    for (const vendor of new Set(cards.map((card) => card.vendor))) {
      const addresses = cards.flatMap((card) => (card.vendor === vendor && card.pci ? [card.pci] : []));
      limiters.push(await NodeLimiter.start(await new Dialer().connect(node), vendor, addresses));
    }
  } catch (error) {
    await restore();
    throw error;
  }
  return {
    restore,
    set: async (watts) => {
      for (const one of limiters) await one.set(watts);
    },
    findChange: async () => {
      for (const one of limiters) {
        const change = await one.findChange();
        if (change !== undefined) return change;
      }
      return undefined;
    },
  };
}
