import { UsageError } from "../schemas/errors.js";
import { suggest } from "../schemas/suggest.js";
import type { Node } from "./node.js";

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

/**
 * Selects the nodes that `--limit NAME|TAG|GLOB[,...]` matches, in the order of the inventory; all nodes without a limit. `!` before a
 * pattern leaves its nodes out. Throws UsageError for a pattern that matches no node.
 */
export function selectNodes(inventory: { nodes: Node[] }, limit: string | undefined): Node[] {
  if (limit === undefined) return inventory.nodes;
  const words = limit.split(",").map((word) => word.trim());
  const excluded = words.filter((word) => word.startsWith("!")).map((word) => word.slice(1));
  const included = words.filter((word) => !word.startsWith("!"));
  for (const pattern of [...included, ...excluded]) {
    if (pattern === "")
      throw new UsageError(
        `--limit ${JSON.stringify(limit)} has an empty pattern`,
        "give NAME, TAG or GLOB, separated by commas; !NAME leaves out",
      );
    if (!inventory.nodes.some((node) => matchesPattern(node, pattern))) {
      const isGlob = /[*?[]/.test(pattern);
      const message = isGlob ? `no node matches "${pattern}"` : `no node or tag is called "${pattern}"`;
      throw new UsageError(message, suggest(pattern, listNamesAndTags(inventory.nodes)));
    }
  }
  const selected = inventory.nodes.filter(
    (node) => (included.length === 0 || matchesAnyPattern(node, included)) && !matchesAnyPattern(node, excluded),
  );
  if (selected.length === 0) throw new UsageError(`--limit ${JSON.stringify(limit)} leaves no node`);
  return selected;
}

/** Lists the names and tags of the nodes, without duplicates. */
export function listNamesAndTags(nodes: Node[]): string[] {
  return [...new Set(nodes.flatMap((node) => [node.name, ...node.tags]))];
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
