import t from "tap";
import { hasGres, parsePartitions, selectPartitions } from "../../../fleet/slurm/partitions.js";
import { parseStartEstimate } from "../../../fleet/slurm/sbatchwords.js";

/** Returns a line as sinfo prints it with SINFO_WORDS. */
function line(...cells: [node: string, state: string, cpus: string, time: string, partition: string, ...string[]]) {
  const widths = [80, 20, 30, 20, 80, 400, 400, 20, 20];
  return `${cells.map((cell, index) => cell.padEnd(widths[index]!)).join("")}\n`;
}

const SINFO = [
  "Welcome to the cluster\n",
  line("node1", "idle", "0/8/0/8", "1:00:00", "short", "gpu:a100:4(S:0-1)", "gpu:a100:0(IDX:N/A)", "down", "1000"),
  line("node1", "idle", "0/8/0/8", "infinite", "gpu*", "gpu:a100:4(S:0-1)", "gpu:a100:0(IDX:N/A)"),
  line("node2", "mix", "6/2/0/8", "infinite", "gpu*", "gpu:a100:4,tpu:1", "gpu:a100:3(IDX:0-1,3),tpu:0"),
  line("node3", "drain", "0/0/8/8", "infinite", "gpu*", "gpu:v100:2", "gpu:v100:0"),
  line("node4", "idle*", "0/8/0/8", "infinite", "gpu*", "(null)", "(null)", "up", "2000"),
].join("");

t.test("partitions are read from sinfo: what is free counts only on nodes that take jobs", async (t) => {
  const [short, gpu] = parsePartitions(SINFO);
  t.match(short, { name: "short", isDefault: false, timeLimitSeconds: 3600, nodes: { idle: 1 } });
  t.match(gpu, {
    name: "gpu",
    isDefault: true,
    timeLimitSeconds: undefined,
    nodes: { idle: 1, mix: 1, drain: 1, "idle*": 1 },
    cpus: { free: 10, total: 32 },
    gpus: { free: 5, total: 10 },
  });
  t.match(gpu, { state: "up", largest: { cpus: 8, memoryBytes: 2000 * 2 ** 20 } });
  t.match(short, { state: "down", largest: { cpus: 8, memoryBytes: 1000 * 2 ** 20 } });
  t.same(gpu!.gres.slice(0, 3), ["gpu:a100:4", "tpu:1", "gpu:v100:2"]);
  const names = (named: string | undefined) => selectPartitions([short!, gpu!], named).map(({ name }) => name);
  t.same(
    [names(undefined), names("short"), names("short,gpu"), names("nosuch")],
    [["gpu"], ["short"], ["short", "gpu"], []],
  );
});

t.test("a request of generic resources is compared with what single nodes have", async (t) => {
  const there = ["gpu:a100:4", "tpu:1"];
  for (const asked of ["gpu", "gpu:4", "gpu:a100:4", "gpu:a100", "gres:gpu:1", "gpu:1,tpu:1"])
    t.ok(hasGres(there, asked), asked);
  for (const asked of ["gpu:5", "gpu:v100:1", "fpga", "gpu:1,fpga:1"]) t.notOk(hasGres(there, asked), asked);
});

t.test("the start of a pilot is read from sbatch --test-only", async (t) => {
  const said = "sbatch: Job 4 to start at 1796044151 using 1 processors on nodes node[2-3] in partition gpu\n";
  const nowMs = 1796044000_000;
  t.same(parseStartEstimate(said, nowMs), { startSeconds: 1796044151, nodes: "node[2-3]", partition: "gpu" });
  const never = said.replace("1796044151", "34040000000");
  t.equal(parseStartEstimate(never, nowMs).startSeconds, undefined, "in a thousand years means that nobody knows");
});
