import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Lab, type LabNode, startLab } from "../lab/lab.js";
import type { ChaosPlan } from "./chaosplan.js";

const NODE_COUNT = 3;
/** A small file system on a node, for plans that fill it up. */
const SMALL_DISK = "small";

/** Nodes that many runs use, one after the other. */
export class Testbed {
  private constructor(private readonly lab: Lab) {}

  static async start(): Promise<Testbed> {
    return new Testbed(await startLab({ nodes: NODE_COUNT, gpus: 0 }));
  }

  nodesOf({ slots }: ChaosPlan): LabNode[] {
    return this.lab.nodes.slice(0, slots.length);
  }

  /** Makes what a plan needs on its nodes, and an inventory; returns the words by which a muster finds them. */
  async prepare(plan: ChaosPlan, mark: string): Promise<string[]> {
    const nodes = this.nodesOf(plan);
    const small = smallNodes(plan);
    for (const index of small) await mountSmall(nodes[index]!);
    const { timeouts, leaseSeconds } = plan;
    const inventory = this.lab.inventory({
      file: `${mark}.yaml`,
      defaults: {
        ...(timeouts && { silence: `${timeouts.silenceSeconds}s`, grace: `${timeouts.graceSeconds}s` }),
        ...(leaseSeconds && { lease: `${leaseSeconds}s` }),
      },
      nodes: Object.fromEntries(
        nodes.map((node, index) => [
          node.name,
          { slots: plan.slots[index], ...(small.has(index) && { workdir: `/${SMALL_DISK}/muster` }) },
        ]),
      ),
    });
    return ["-i", inventory, "--limit", nodes.map(({ name }) => name).join(",")];
  }

  /** Every node is on, in reach and empty again, whatever a run has left; and nothing is known of how fast its jobs were. */
  async restore(): Promise<void> {
    rmSync(join(this.lab.folder, ".muster-rates.json"), { force: true });
    for (const node of this.lab.nodes) {
      if (node.pid === undefined) await node.powerOn();
      await node.heal();
      if ((await node.quiet(1)).length > 0) await node.powerCycle();
      if (existsSync(join(node.root, SMALL_DISK))) await unmountSmall(node);
      rmSync(join(node.root, "root/.muster"), { recursive: true, force: true });
      for (const name of readdirSync(join(node.root, "var/tmp")))
        if (name.startsWith("chaos-")) rmSync(join(node.root, "var/tmp", name));
    }
  }

  stop(): Promise<void> {
    return this.lab.stop();
  }
}

/** Where muster works on a node of a plan, as seen from outside. */
export function workdirOf(plan: ChaosPlan, node: LabNode, index: number): string {
  return join(node.root, smallNodes(plan).has(index) ? `${SMALL_DISK}/muster` : "root/.muster");
}

/** Fills up, or frees, the small file system of a node. */
export async function fillSmall(node: LabNode): Promise<void> {
  await node.exec(["sh", "-c", `head -c 1G /dev/zero >/${SMALL_DISK}/filler 2>/dev/null; true`]);
}

export async function freeSmall(node: LabNode): Promise<void> {
  await node.exec(["rm", "-f", `/${SMALL_DISK}/filler`]);
}

/** The nodes, by index, that work on a small file system. */
function smallNodes({ faults }: ChaosPlan): Set<number> {
  return new Set(faults.flatMap((fault) => (fault.kind === "disk-full-node" ? [fault.node] : [])));
}

async function mountSmall(node: LabNode): Promise<void> {
  await node.exec([
    "sh",
    "-c",
    `mkdir -p /${SMALL_DISK} && mount -t tmpfs -o size=192m,mode=1777 tmpfs /${SMALL_DISK}`,
  ]);
}

async function unmountSmall(node: LabNode): Promise<void> {
  await node.exec(["sh", "-c", `umount -l /${SMALL_DISK} 2>/dev/null; rmdir /${SMALL_DISK}`]);
}
