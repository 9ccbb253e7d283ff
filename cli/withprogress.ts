import type { Node } from "../fleet/node.js";
import { NodeProgress } from "../report/nodeprogress.js";
import type { Writers } from "../report/writers.js";
import type { CommonOptions } from "./options.js";

/** Runs `work` and prints the line, if any, that it reports for each node that is done. Returns the result of `work`. */
export async function withProgress<T>(
  nodes: Node[],
  options: CommonOptions,
  writers: Writers,
  work: (done: (node: Node, line?: string) => void) => Promise<T>,
): Promise<T> {
  if (options.quiet || options.json) return work(() => {});
  const names = nodes.map(({ name }) => name);
  const progress = new NodeProgress(names, (text) => writers.err(text));
  try {
    return await work((node, line) => progress.done(node.name, line));
  } finally {
    progress.end();
  }
}
