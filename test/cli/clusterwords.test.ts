import t from "tap";
import { runMuster, TestFolder } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());
const hpc = { engine: "slurm", host: "login.invalid", gres: "gpu:1", cpus: 2, sbatch: ["--qos=long"] };
const inventory = shop.write("inventory.yaml", { nodes: { hpc } });
const muster = (...words: string[]) => runMuster([...words, "-i", inventory]);

t.test("drain names what to do instead, for a cluster and for a pilot", async (t) => {
  const cluster = await muster("drain", "hpc");
  t.equal(cluster.code, 64);
  t.match(cluster.err, /hpc is a Slurm cluster; only machines are drained\n.*--limit '!hpc'/);
  const pilot = await muster("drain", "hpc/5");
  t.equal(pilot.code, 64);
  t.match(pilot.err, /hpc\/5 is a pilot of the Slurm cluster hpc; only machines are drained\n.*`scancel 5` ends it/);
  t.match(pilot.err, /--exclude=NODE` to `sbatch` of hpc \(.*inventory\.yaml:\d+:\d+\)/);
  t.match((await muster("undrain", "hpc/5")).err, /only machines are drained/);
});

t.test("other commands for machines say so of a pilot, too", async (t) => {
  const ran = await runMuster(["exec", "-i", inventory, "--limit", "hpc/5", "true"]);
  t.equal(ran.code, 64);
  t.match(ran.err, /hpc\/5 is a pilot of the Slurm cluster hpc, and this command is for machines\n/);
  t.match((await muster("nodes", "hpc/5")).err, /name the cluster: hpc/);
});

function writeJob(name: string, needs: object): string {
  return shop.write(`${name}.yaml`, { name, kind: "tasks", tasks: [{ id: "a", command: ["true"] }], needs });
}

t.test("a plan ends as the run would where nothing can run the job", async (t) => {
  const wide = writeJob("wide", { cores: 4, gpus: 0 });
  const plan = await muster("run", wide, "--plan");
  t.equal(plan.code, 69, plan.err);
  t.match(plan.out, /hpc: not used: needs\.cores is 4, it has 2/);
  t.equal(plan.err, "no node of the inventory may run this job\n");
  t.equal((await muster("run", wide)).code, 69);
  t.equal((await muster("run", writeJob("fine", {}), "--plan")).code, 0);
  const document = await muster("run", wide, "--plan", "--json");
  t.equal(document.code, 69);
  t.match(JSON.parse(document.out).clusters, [{ cluster: "hpc", pilots: 0 }]);
});

t.test("a plan of a pipeline says which step can run nowhere", async (t) => {
  const [wide, fine] = [writeJob("wide-step", { cores: 4, gpus: 0 }), writeJob("fine-step", {})];
  const steps = { fine: { job: fine }, wide: { job: wide, needs: ["fine"] } };
  const pipeline = shop.write("pipeline.yaml", { name: "both", steps });
  const plan = await muster("run", pipeline, "--plan");
  t.match(plan, { code: 69, err: "step wide: no node of the inventory may run this job\n" });
  const document = await muster("run", pipeline, "--plan", "--json");
  t.match(document, { code: 69, err: "" });
  t.match(JSON.parse(document.out).steps, [{ step: "fine" }, { step: "wide", clusters: [{ pilots: 0 }] }]);
  t.match(await muster("run", pipeline, "--plan", "--only", "fine"), { code: 0, err: "" });
});

t.test("a node without a profile is called so", async (t) => {
  const refusal = async (needs: object) => (await muster("run", writeJob("gpu", needs), "--plan")).out;
  t.match(
    (await refusal({ vendor: "amd" })).replace(/\s+/g, " "),
    "needs.vendor is amd, it has no profile, and its GPUs count as nvidia",
  );
  t.match((await refusal({ model: "mi50" })).replace(/\s+/g, " "), "needs.model is mi50, it has no profile");
  t.match((await refusal({ vram: "16GiB" })).replace(/\s+/g, " "), "needs.vram is 16.0 GiB, it has no profile");
});

t.test("the help of doctor names -v", async (t) => {
  t.match((await runMuster(["doctor", "--help"])).out, /-v, --verbose/);
});
