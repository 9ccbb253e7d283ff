import { readdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { inventoryWith } from "../playbooks/runverb.js";
import { lackingVenv, writeWheel } from "../playbooks/wheelfile.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";

const { skip: noLab, shop, lab, nodes } = await shareLab(t, { nodes: 1, gpus: 0, vendor: "none" }, "files of a node");
const skip = noLab || lackingVenv();
const [node] = nodes;

/** Waits until the file `go` is in the node's /srv, if an option says so, then says what it runs with. */
const WORKER = `import json, os, shutil, sys, time
sys.path.pop(0)
if sys.argv[1] == "wait":
    open("/srv/begun", "w").close()
    while not os.path.exists("/srv/go"):
        time.sleep(0.05)
import sieve
found = [sieve.VERSION, sys.executable, os.environ["VIRTUAL_ENV"], shutil.which("python3")]
with open("a.txt", "w") as file:
    json.dump(found, file)
`;

const job = (name: string, argument: string) => ({
  name,
  kind: "tasks",
  python_env: "prng",
  tasks: [
    { id: "script", script: "worker.py", args: [argument, "--output", "{out}/a.txt"], outputs: ["a.txt"] },
    {
      id: "command",
      command: ["sh", "-c", "python3 -c 'import sieve; print(sieve.VERSION)' >b.txt"],
      outputs: ["b.txt"],
    },
  ],
});

function withEnv(text: string): string {
  const env = { requirements: "requirements.txt", find_links: "wheels" };
  return inventoryWith(lab, { top: { python_envs: { prng: env } } }, { "requirements.txt": text });
}

/** What the worker wrote: version, interpreter, VIRTUAL_ENV, and python3 on PATH. */
const result = (run: string) => shop.json<string[]>(`${run}/results/a.txt`);

t.test("a job runs in its environment", { skip, timeout: 480_000 }, async (t) => {
  const wheels = join(lab.folder, "wheels");
  writeWheel(wheels, { name: "sieve", version: "1.0" });
  writeWheel(wheels, { name: "sieve", version: "2.0" });
  shop.write("worker.py", WORKER);

  await t.test("an unknown name is an error with a suggestion, before any connection", async (t) => {
    const inventory = withEnv("sieve==1.0\n");
    const file = shop.write("unknown.json", { ...job("unknown", "go"), python_env: "prgn" });
    t.match(await runMuster(["run", file, "-i", inventory]), {
      code: 65,
      err: /unknown\.json:4:\d+: python_env: the inventory has no environment "prgn"\n +did you mean "prng"\?/,
    });
    t.match(await runMuster(["validate", file, "-i", inventory]), { code: 65, err: /did you mean "prng"/ });
    t.match(await runMuster(["run", file, "-i", "local"]), { code: 65, err: /describe it under python_envs/ });
  });

  await t.test("a node without it gets no work; --provision makes it", async (t) => {
    const inventory = withEnv("sieve==1.0\n");
    const file = shop.write("job.json", job("first", "go"));
    const refused = await runMuster(["run", file, "-i", inventory]);
    t.equal(refused.code, 69, refused.err);
    t.match(refused.out, /node1: 0 chunks \(refused: drift: python env prng: drift \(~\/\.venvs\/prng: missing/);
    const ran = await runMuster(["run", file, "-i", inventory, "--provision"]);
    t.equal(ran.code, 0, ran.err);
    const [version, python, folder, onPath] = result("runs/first");
    t.match(folder, /^\/root\/\.venvs\/\.prng-[0-9a-f]{16}$/, "the real path, not the link");
    t.same([version, python, onPath], ["1.0", `${folder}/bin/python`, `${folder}/bin/python3`]);
    t.equal(shop.read("runs/first/results/b.txt"), "1.0\n");
    t.match(shop.results("runs/first")[0]!.state, /^[0-9a-f]{64}$/, "the state that was verified is in the record");
  });

  await t.test(
    "an upgrade while a chunk runs: it keeps the old environment, the next run has the new one",
    async (t) => {
      const file = shop.write("upgrade.json", job("upgrade", "wait"));
      const end = waitForExit(startMuster(["run", file, "-i", withEnv("sieve==1.0\n")]));
      await waitUntil("the chunk runs", () => readdirSync(join(node!.root, "srv")).includes("begun"));
      const inventory = withEnv("sieve==2.0\n");
      t.equal((await runMuster(["provision", "python-env", "-i", inventory])).code, 0);
      await node!.exec(["touch", "/srv/go"]);
      const ran = await end;
      t.equal(ran.code, 0, ran.err);
      t.equal(result("runs/upgrade")[0], "1.0", "imported after the switch");
      const next = await runMuster(["run", shop.write("next.json", job("next", "go")), "-i", inventory]);
      t.equal(next.code, 0, next.err);
      t.equal(result("runs/next")[0], "2.0");
    },
  );

  await t.test("a jobs file, and a job that names the playbook too", async (t) => {
    const inventory = withEnv("sieve==2.0\n");
    const entry = { job_id: "one", script: "worker.py", args: ["go", "--output", "a.txt"] };
    const file = shop.write("jobs.json", { python_env: "prng", needs: { playbooks: ["python-env"] }, jobs: [entry] });
    const ran = await runMuster(["run", file, "-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    t.equal(result("runs/jobs")[0], "2.0");
    const other = shop.write("jobs.json", { needs: { playbooks: ["python-env"] }, jobs: [entry] });
    t.match(await runMuster(["run", other, "-i", inventory]), { code: 65, err: /python_env/ }, "another environment");
  });
});
