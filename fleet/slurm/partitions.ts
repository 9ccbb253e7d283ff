import { parseTimeLeft } from "./queue.js";

const COLUMNS = [80, 20, 30, 20, 80, 400, 400, 20, 20] as const;
const FIELDS = [
  "NodeHost",
  "StateCompact",
  "CPUsState",
  "Time",
  "Partition",
  "Gres",
  "GresUsed",
  "Available",
  "Memory",
] as const;

/** The words of sinfo whose output `parsePartitions` reads. */
export const SINFO_WORDS = [
  "--noheader",
  "--Node",
  `--Format=${FIELDS.map((field, index) => `${field}:${COLUMNS[index]}`).join(",")}`,
] as const;

/** States of nodes that can take jobs, now or when others have ended. Slurm puts marks after those that cannot for now. */
const USABLE = /^(idle|mix|mixed|alloc|allocated|comp|completing|plnd|planned)[~#!%]?$/;

/** How much of something there is on nodes that take jobs, and on all nodes. */
export interface Capacity {
  free: number;
  total: number;
}

/** A partition of a cluster. */
export interface PartitionFacts {
  name: string;
  /** Whether jobs that name no partition go there. */
  isDefault: boolean;
  /** "up" where jobs start, else in Slurm's words: "down", "drain", "inact". */
  state: string;
  /** The longest time of a job; undefined = no limit. */
  timeLimitSeconds: number | undefined;
  /** The number of nodes in each state, in Slurm's words. */
  nodes: Readonly<Record<string, number>>;
  cpus: Capacity;
  gpus: Capacity;
  /** What generic resources single nodes have: `gpu:a100:4`, each once. */
  gres: readonly string[];
  /** What the largest node has. */
  largest: { cpus: number; memoryBytes: number };
}

/** Whether jobs can start in a partition. */
export function isUp({ state }: PartitionFacts): boolean {
  return state === "up";
}

/** Parses what sinfo printed with SINFO_WORDS. Lines that are not of sinfo, e.g. of a start-up file, are skipped. */
export function parsePartitions(output: string): PartitionFacts[] {
  const found = new Map<string, PartitionFacts>();
  for (const line of output.split("\n")) {
    const [, state, cpus, limit, shown, gres, used, available, memory] = splitColumns(line);
    const [, allocated, idle, , total] = /^(\d+)\/(\d+)\/(\d+)\/(\d+)$/.exec(cpus!) ?? [];
    if (allocated === undefined || shown === "") continue;
    const name = shown!.replace(/\*$/, "");
    const known = found.get(name) ?? createPartition(name, shown !== name, parseTimeLeft(limit!), available || "up");
    const isUsable = USABLE.test(state!);
    const gpus = countGres(gres!);
    found.set(name, {
      ...known,
      nodes: { ...known.nodes, [state!]: (known.nodes[state!] ?? 0) + 1 },
      cpus: add(known.cpus, isUsable ? Number(idle) : 0, Number(total)),
      gpus: add(known.gpus, isUsable ? Math.max(0, gpus - countGres(used!)) : 0, gpus),
      gres: [...new Set([...known.gres, ...listGres(gres!)])],
      largest: {
        cpus: Math.max(known.largest.cpus, Number(total)),
        memoryBytes: Math.max(known.largest.memoryBytes, (Number(memory) || 0) * 2 ** 20),
      },
    });
  }
  return [...found.values()];
}

/** Returns the partitions that a request goes to: those that it names, separated by commas, or else the default one. */
export function selectPartitions(all: readonly PartitionFacts[], named: string | undefined): PartitionFacts[] {
  const names = named?.split(",");
  return all.filter(({ name, isDefault }) => (names === undefined ? isDefault : names.includes(name)));
}

/** Columns have a fixed width, because a blank or a separator may be part of a value. */
function splitColumns(line: string): string[] {
  let from = 0;
  return COLUMNS.map((width) => {
    from += width;
    return line.slice(from - width, from).trim();
  });
}

function createPartition(
  name: string,
  isDefault: boolean,
  timeLimitSeconds: number | undefined,
  state: string,
): PartitionFacts {
  const none = { free: 0, total: 0 };
  const largest = { cpus: 0, memoryBytes: 0 };
  return { name, isDefault, state, timeLimitSeconds, nodes: {}, cpus: none, gpus: none, gres: [], largest };
}

function add(to: Capacity, free: number, total: number): Capacity {
  return { free: to.free + free, total: to.total + total };
}

/** Whether a node with one of these generic resources has what is asked for: `gpu`, `gpu:2` or `gpu:a100:2`; several with commas. */
export function hasGres(gres: readonly string[], asked: string): boolean {
  return asked.split(",").every((one) => {
    const [name, ...rest] = one.replace(/^gres:/, "").split(":");
    const count = /^\d+$/.test(rest.at(-1) ?? "") ? Number(rest.pop()) : 1;
    return gres.some((there) => {
      const [nameThere, ...restThere] = there.split(":");
      const countThere = Number(restThere.pop());
      return nameThere === name && (rest[0] === undefined || rest[0] === restThere[0]) && countThere >= count;
    });
  });
}

/** Counts the GPUs in a list of generic resources: `gpu:a100:4(S:0-1),gpu:v100:2`, or of those in use: `gpu:a100:2(IDX:0,3)`. */
function countGres(list: string): number {
  return listGres(list).reduce((sum, one) => sum + Number(/^gpu(?::[^:]+)?:(\d+)$/.exec(one)?.[1] ?? 0), 0);
}

function listGres(list: string): string[] {
  const items = list.replace(/\([^)]*\)/g, "").split(",");
  return items.map((item) => item.trim()).filter((item) => item !== "");
}
