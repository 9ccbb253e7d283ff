import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";

const { skip, shop, nodes, inventory } = await shareLab(t, { nodes: 2, gpus: 0 }, "files of a node");

const WORKER = `import json, os, sys, time
if os.path.exists("wait"):
    open("begun", "w").close()
    while os.path.exists("wait"): time.sleep(0.05)
json.dump([sys.argv[1], json.load(open("settings.json")), os.getcwd()], open(sys.argv[3], "w"))
`;

/** Where the folder lies on a node, as seen from outside. */
const onNode = (index: number, path: string) => join(nodes[index]!.root, "root/prng", path);

function putOnNodes(path: string, content: string): void {
  for (const index of nodes.keys()) {
    mkdirSync(join(onNode(index, path), ".."), { recursive: true });
    writeFileSync(onNode(index, path), content);
  }
}

const jobsFile = (name: string, ids: number[], extra = {}) =>
  shop.write(`${name}/jobs.json`, {
    directory: "~/prng",
    ...extra,
    jobs: ids.map((id) => ({
      job_id: `c${id}`,
      script: "worker.py",
      args: [`${id}`, "--output", `results/${id}.json`],
    })),
  });

t.test("a jobs file runs in a folder of the nodes, whose files are as before afterwards", { skip }, async (t) => {
  putOnNodes("worker.py", WORKER);
  putOnNodes("settings.json", "7");
  putOnNodes("results/1.json", "of an earlier run");
  const ran = await runMuster(["run", jobsFile("plain", [1, 2, 3, 4]), "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  for (const id of [1, 2, 3, 4])
    t.same(shop.json(`plain/runs/jobs/results/results/${id}.json`), [`${id}`, 7, "/root/prng"]);
  for (const index of nodes.keys()) {
    t.equal(readFileSync(onNode(index, "results/1.json"), "utf8"), "of an earlier run");
    t.same(readdirSync(onNode(index, "results")), ["1.json"]);
  }
  t.notMatch(ran.err, /differs|changed/);
});

t.test(
  "scripts that differ between nodes are reported; a folder that is missing excludes its node",
  { skip },
  async (t) => {
    writeFileSync(onNode(1, "worker.py"), `${WORKER}# edited\n`);
    const ids = [1, 2, 3, 4, 5, 6, 7, 8];
    putOnNodes("wait", "");
    const running = waitForExit(startMuster(["run", jobsFile("differs", ids), "-i", inventory]));
    await waitUntil("both nodes run a chunk", () =>
      [...nodes.keys()].every((index) => existsSync(onNode(index, "begun"))),
    );
    for (const index of nodes.keys()) for (const path of ["wait", "begun"]) rmSync(onNode(index, path));
    const ran = await running;
    t.equal(ran.code, 0, ran.err);
    t.match(ran.err + ran.out, /worker\.py differs from that on node\d: bring all nodes to one version/);
    const missing = await runMuster(["run", jobsFile("missing", [1], { directory: "~/none" }), "-i", inventory]);
    t.equal(missing.code, 69, missing.err);
    t.match(missing.out + missing.err, /directory ~\/none does not exist/);
  },
);

t.test("a cancelled run puts the user's files back", { skip }, async (t) => {
  putOnNodes("worker.py", WORKER);
  putOnNodes("wait", "");
  putOnNodes("results/1.json", "of an earlier run");
  const file = jobsFile("cancelled", [1]);
  const running = startMuster(["run", file, "-i", inventory]);
  const ended = waitForExit(running);
  const at = () => [...nodes.keys()].find((index) => existsSync(onNode(index, "begun")));
  await waitUntil("it has begun", () => at() !== undefined);
  const index = at()!;
  t.notOk(existsSync(onNode(index, "results/1.json")), "set aside while the program runs");
  const cancelled = await runMuster(["cancel", join(shop.folder, "cancelled/runs/jobs"), "-i", inventory]);
  t.equal(cancelled.code, 0, cancelled.err);
  await ended;
  t.equal(readFileSync(onNode(index, "results/1.json"), "utf8"), "of an earlier run");
});
