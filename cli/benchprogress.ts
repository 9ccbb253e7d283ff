import type { PassKind } from "../executor/bench/benchcards.js";
import type { BenchedNode } from "../executor/bench/benchnode.js";
import { toPrintableText } from "../report/format.js";
import type { Writers } from "../report/writers.js";
import type { CommonOptions } from "./options.js";

/** Prints a line when a node begins a pass, and says early what will not be measured. */
export class BenchProgress {
  private readonly counts: ReadonlyMap<string, number>;
  private readonly print: (line: string) => void;

  constructor(nodes: readonly BenchedNode[], { quiet, json }: CommonOptions, writers: Writers) {
    this.counts = new Map(nodes.map(({ node, cards }) => [node.name, cards.length]));
    this.print = quiet || json ? () => {} : (line) => writers.err(toPrintableText([line]));
    for (const { node, limits } of nodes)
      if (limits !== undefined && "refusal" in limits) this.print(`${node.name}: no power limits: ${limits.refusal}`);
  }

  begin(node: string, pass: PassKind): void {
    this.print(`${node}: ${describePass(pass, this.counts.get(node) ?? 0)}`);
  }
}

function describePass(pass: PassKind, count: number): string {
  const gpus = count === 1 ? "1 GPU" : `${count} GPUs`;
  if (pass.order === "alone") return count === 1 ? gpus : `${gpus}, one after the other`;
  return pass.capWatts === undefined ? `${gpus} at once` : `${gpus} at once, at most ${pass.capWatts} W each`;
}
