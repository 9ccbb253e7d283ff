import { UsageError } from "../schemas/errors.js";
import { suggest } from "../schemas/suggest.js";
import type { Node } from "./node.js";
import type { Cluster } from "./slurm/cluster.js";

/** What an inventory has. */
interface Fleet {
  nodes: Node[];
  clusters?: readonly Cluster[];
  /** See `Inventory`. */
  unusedFile?: string;
}

/** Whether a name, a tag or a glob (`*`, `?`, `[...]`) matches this node. Throws UsageError for an invalid glob. */
export function matchesPattern(node: Node, pattern: string): boolean {
  if (!/[*?[]/.test(pattern)) return node.name === pattern || node.tags.includes(pattern);
  const glob = compileGlob(pattern);
  return glob.test(node.name) || node.tags.some((tag) => glob.test(tag));
}

/** Whether any of the patterns matches this node. */
export function matchesAnyPattern(node: Node, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => matchesPattern(node, pattern));
}

/** The nodes of an inventory that a limit selects. */
export interface SelectedFleet {
  nodes: Node[];
  clusters: Cluster[];
}

/**
 * Selects the machines and clusters that `--limit NAME|TAG|GLOB[,...]` matches, in the order of the inventory; all without a limit. `!` before
 * a pattern leaves its nodes out. Throws UsageError for a pattern that matches none.
 */
export function selectFleet(fleet: Fleet, limit: string | undefined): SelectedFleet {
  const { nodes, clusters = [] } = fleet;
  if (limit === undefined) return { nodes, clusters: [...clusters] };
  const { included, excluded } = parseLimit(limit);
  const known = listKnownNodes(fleet);
  for (const pattern of [...included, ...excluded]) {
    if (pattern === "")
      throw new UsageError(
        `--limit ${JSON.stringify(limit)} has an empty pattern`,
        "give NAME, TAG or GLOB, separated by commas; !NAME leaves out",
      );
    if (!known.some((node) => matchesPattern(node, pattern))) {
      const pilotOf = findClusterOfPilot(pattern, fleet);
      if (pilotOf !== undefined)
        throw new UsageError(
          `no node is called "${pattern}"; pilots of ${pilotOf.name} are nodes only of the run that submits them`,
          `name the cluster: ${pilotOf.name}`,
        );
      const isGlob = /[*?[]/.test(pattern);
      const message = isGlob ? `no node matches "${pattern}"` : `no node or tag is called "${pattern}"`;
      throw new UsageError(message, suggestNode(pattern, fleet));
    }
  }
  const selected = {
    nodes: nodes.filter((node) => isSelected(node, limit)),
    clusters: clusters.filter(({ pilot }) => isSelected(pilot, limit)),
  };
  if (selected.nodes.length + selected.clusters.length === 0)
    throw new UsageError(`--limit ${JSON.stringify(limit)} leaves no node`);
  return selected;
}

/** Whether a limit selects this node; see `selectFleet`. */
export function isSelected(node: Node, limit: string): boolean {
  const { included, excluded } = parseLimit(limit);
  return (included.length === 0 || matchesAnyPattern(node, included)) && !matchesAnyPattern(node, excluded);
}

function parseLimit(limit: string): { included: string[]; excluded: string[] } {
  const words = limit.split(",").map((word) => word.trim());
  return {
    included: words.filter((word) => !word.startsWith("!")),
    excluded: words.filter((word) => word.startsWith("!")).map((word) => word.slice(1)),
  };
}

/** Selects machines as `selectFleet` does. Throws UsageError, too, where there are clusters only: they have no nodes of their own. */
export function selectNodes(inventory: Fleet, limit: string | undefined): Node[] {
  const words = limit === undefined ? [] : parseLimit(limit).included;
  for (const word of words) {
    const pilotOf = findClusterOfPilot(word, inventory);
    if (pilotOf !== undefined) throw machinesOnlyError(`${word} is a pilot of the Slurm cluster ${pilotOf.name}`);
  }
  const { nodes, clusters } = selectFleet(inventory, limit);
  const [cluster] = clusters;
  if (nodes.length > 0 || cluster === undefined) return nodes;
  throw machinesOnlyError(`${cluster.name} is a Slurm cluster`);
}

function machinesOnlyError(what: string): UsageError {
  return new UsageError(
    `${what}, and this command is for machines`,
    "clusters are for muster run, nodes and doctor; name machines here",
  );
}

/** Returns the cluster whose pilot has such a name; undefined where a node is called so, or no cluster has such pilots. */
function findClusterOfPilot(word: string, { nodes, clusters = [] }: Fleet): Cluster | undefined {
  if (nodes.some((node) => matchesPattern(node, word))) return undefined;
  return clusters.find(({ name }) => word.startsWith(`${name}/`));
}

/** Says which node or tag was meant by one that no node has, or which there are. */
export function suggestNode(pattern: string, fleet: Fleet): string | undefined {
  if (fleet.unusedFile !== undefined)
    return `only this machine is known here; there is an inventory above: -i ${fleet.unusedFile}`;
  return suggest(pattern, new Set(listKnownNodes(fleet).flatMap((node) => [node.name, ...node.tags])));
}

/** Lists the machines, and a pilot for each cluster. */
export function listKnownNodes({ nodes, clusters = [] }: Fleet): Node[] {
  return [...nodes, ...clusters.map(({ pilot }) => pilot)];
}

/** Returns the expression of a glob (`*`, `?`, `[...]`). Throws UsageError where it is invalid. */
export function compileGlob(pattern: string): RegExp {
  const parts = pattern.match(/\*|\?|\[[^\]]+\]|./gs) ?? [];
  const source = parts.map((part) => {
    if (part === "*") return ".*";
    if (part === "?") return ".";
    if (part.length > 1)
      return `[${part
        .slice(1, -1)
        .replace(/^!/, "^")
        .replace(/[\\\]]/g, "\\$&")}]`;
    return part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  });
  try {
    return new RegExp(`^${source.join("")}$`, "s");
  } catch {
    throw new UsageError(
      `"${pattern}" is not a valid pattern`,
      "in [...], write a range from the lower to the higher character",
    );
  }
}
