import type { ExpectedNode } from "./expectednodes.js";

/** What one node will add. `rate`: of the `rated` slots together. */
interface NodeCapacity {
  slots: number;
  rated: number;
  rate: number;
  slowest: number | undefined;
}

/** The slots of nodes that may join or come back, in sums that cost O(1) to read. */
export class ExpectedCapacity {
  private readonly nodes = new Map<string, NodeCapacity>();
  /** The number of slots that will run chunks at the same time. */
  slots = 0;
  /** The number of slots with a known rate, and their rate together. */
  rated = 0;
  rate = 0;
  /** The rate of the slowest of them; undefined = none is known. */
  slowest: number | undefined;

  constructor(nodes: ReadonlyMap<string, ExpectedNode>) {
    for (const [name, node] of nodes) this.add(name, node);
  }

  /** Adds a node, or replaces what was expected of it. */
  add(name: string, { slots, limit = slots.length }: ExpectedNode): void {
    this.remove(name);
    if (slots.length === 0) return;
    const rates = slots.flatMap(({ rate }) => rate ?? []);
    const share = Math.min(1, limit / slots.length);
    this.nodes.set(name, {
      slots: slots.length * share,
      rated: rates.length * share,
      rate: rates.reduce((sum, rate) => sum + rate, 0) * share,
      slowest: rates.length === 0 ? undefined : Math.min(...rates),
    });
    this.update();
  }

  /** Removes a node that has joined or will not join. */
  remove(name: string): void {
    if (this.nodes.delete(name)) this.update();
  }

  private update(): void {
    const nodes = [...this.nodes.values()];
    const sum = (of: (node: NodeCapacity) => number) => nodes.reduce((total, node) => total + of(node), 0);
    const slowest = nodes.flatMap((node) => node.slowest ?? []);
    this.slots = sum((node) => node.slots);
    this.rated = sum((node) => node.rated);
    this.rate = sum((node) => node.rate);
    this.slowest = slowest.length === 0 ? undefined : Math.min(...slowest);
  }
}
