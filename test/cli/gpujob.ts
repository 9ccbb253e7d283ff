import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LabNode } from "../lab/labnode.js";
import type { TestFolder } from "./startmuster.js";

/**
 * A worker that records its slot on its node when it starts, works briefly unless the file `hurry` exists, and then waits while the
 * file `wait` exists. Its result is its GPU binding, and the GPU that a runtime would use with it: the n-th on the bus.
 */
const WORKER = `import json, os, sys, time
slot, bus = os.environ["MUSTER_SLOT"], "/sys/bus/pci/devices/"
with open("/var/tmp/slots-" + sys.argv[2], "a") as file: file.write(slot + " ")
bound = os.environ.get("HIP_VISIBLE_DEVICES", os.environ.get("CUDA_VISIBLE_DEVICES"))
cards = sorted(os.listdir(bus))
card = cards[int(bound)] if bound.isdigit() and int(bound) < len(cards) else None
if not os.path.exists("/var/tmp/hurry-" + sys.argv[2]): time.sleep(float(sys.argv[3]))
while os.path.exists("/var/tmp/wait-" + sys.argv[2]): time.sleep(0.02)
json.dump({"bound": bound, "card": card}, open("r.json", "w"))
`;

/** A line of results.ndjson of a `GpuJob`. */
export interface GpuJobResult {
  node: string;
  slot: number;
  output: { bound: string; card: string | null };
}

/** A job that shows which slots of a node run chunks, and on which GPUs. */
export class GpuJob {
  readonly file: string;

  constructor(
    private readonly shop: TestFolder,
    private readonly name: string,
    chunks: number,
    seconds: number,
    more: object = {},
  ) {
    shop.write(`${name}/w.py`, WORKER);
    this.file = shop.write(`${name}/job.yaml`, {
      name,
      kind: "matrix",
      matrix: { n: [0, chunks] },
      script: "w.py",
      args: ["{n}", name, `${seconds}`],
      outputs: ["r.json"],
      ...more,
    });
  }

  /** Returns the slots of all chunks that have started on a node, in order. */
  begun(node: LabNode): number[] {
    const file = join(node.root, `var/tmp/slots-${this.name}`);
    return existsSync(file) ? readFileSync(file, "utf8").trim().split(" ").map(Number) : [];
  }

  /** Returns whether the last `count` chunks that started on the node did so on other slots. */
  isIdle(node: LabNode, slot: number, count: number): boolean {
    const last = this.begun(node).slice(-count);
    return last.length === count && !last.includes(slot);
  }

  /** Keeps chunks on the node from ending until `release`. */
  hold(node: LabNode): void {
    writeFileSync(this.mark(node, "wait"), "");
  }

  release(node: LabNode): void {
    rmSync(this.mark(node, "wait"));
  }

  /** Makes further chunks end at once. */
  hurry(node: LabNode): void {
    writeFileSync(this.mark(node, "hurry"), "");
  }

  private mark(node: LabNode, what: string): string {
    return join(node.root, `var/tmp/${what}-${this.name}`);
  }

  results(): GpuJobResult[] {
    return this.shop.results(`${this.name}/runs/${this.name}`) as unknown as GpuJobResult[];
  }

  /** Returns the disabled slots of a node from the summary. */
  takenOut(node: LabNode): { slot: number; reason: string; back: boolean; reboot?: true }[] {
    const { nodes } = this.shop.json<{ nodes: { node: string; takenOut?: [] }[] }>(
      `${this.name}/runs/${this.name}/summary.json`,
    );
    return nodes.find((one) => one.node === node.name)?.takenOut ?? [];
  }
}
