import t from "tap";
import type { Job } from "../../executor/job/job.js";
import { parseInventory } from "../../fleet/inventory.js";
import { limitNodes } from "../../lib/limitnodes.js";
import { parseSource } from "../../schemas/parsesource.js";

const TEXT = `nodes:
  a:
  b:
  hpc: {engine: slurm, pilots: 4}
  uni: {engine: slurm, pilots: 2}
`;
const { nodes, clusters } = parseInventory(parseSource("i.yaml", TEXT), "/i.yaml");

t.test("a limit counts machines, then pilots", async (t) => {
  const job = { needs: { playbooks: [] } } as unknown as Job;
  const table: [maxNodes: number | undefined, nodes: string[], pilots: Record<string, number>][] = [
    [undefined, ["a", "b"], { hpc: 4, uni: 2 }],
    [1, ["a"], {}],
    [2, ["a", "b"], {}],
    [3, ["a", "b"], { hpc: 1 }],
    [7, ["a", "b"], { hpc: 4, uni: 1 }],
    [99, ["a", "b"], { hpc: 4, uni: 2 }],
  ];
  for (const [maxNodes, names, pilots] of table) {
    const limited = limitNodes({ nodes, clusters, job }, maxNodes);
    const found = Object.fromEntries(limited.clusters.map((one) => [one.name, one.pilots]));
    t.strictSame([limited.nodes.map(({ name }) => name), found], [names, pilots], `${maxNodes}`);
  }
  t.match(limitNodes({ nodes: [], clusters, job }, 1), { nodes: [], clusters: [{ name: "hpc", pilots: 1 }] });
  const picky = { needs: { playbooks: [], nodes: ["b"] } } as unknown as Job;
  t.match(limitNodes({ nodes, clusters: [], job: picky }, 1).nodes, [{ name: "b" }], "one that may run the job");
});
