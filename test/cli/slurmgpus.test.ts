import t from "tap";
import { checkCluster, shareSlurm, writeClusterInventory } from "./slurmlab.js";
import { runMuster } from "./startmuster.js";

const cluster = await shareSlurm(t, 2, { gpus: 2 }, { gpus: 2, vendor: "nvidia" });
const { skip, shop } = cluster;

/** What each chunk saw: the variables that select GPUs, and the card that muster names. */
function writeJob(name: string): string {
  const script = 'sleep 0.3; echo "$(hostname) $CUDA_VISIBLE_DEVICES $MUSTER_GPU_PCI"';
  return shop.write(`${name}/job.yaml`, {
    name,
    kind: "matrix",
    matrix: { n: [0, 24] },
    command: ["sh", "-c", script],
    needs: { gpus: 1 },
    outputs: ["stdout"],
  });
}

for (const [gres, pilots] of [
  ["gpu:1", 4],
  ["gpu:2", 2],
] as const)
  t.test(`chunks see the GPU that Slurm has bound, of ${gres}`, { skip }, async (t) => {
    const name = gres.replace(":", "-");
    const inventory = writeClusterInventory(cluster, { gres, pilots });
    const ran = await runMuster(["run", writeJob(name), "-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    const seen = new Set(
      Array.from({ length: 24 }, (_, n) => shop.read(`${name}/runs/${name}/results/n=${n}/stdout`).trim()),
    );
    t.same(
      [...seen].sort(),
      ["compute1 0 0000:03:00.0", "compute1 1 0000:06:00.0", "compute2 0 0000:03:00.0", "compute2 1 0000:06:00.0"],
      "each card by the number and the address that are its own",
    );
    await checkCluster(t, cluster);
  });
