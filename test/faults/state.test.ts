import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { runMuster, startMuster } from "../cli/startmuster.js";
import type { LabNode } from "../lab/lab.js";
import { projectRoot } from "../lab/project.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkNodes, readJournal } from "./checks.js";
import { watchMuster } from "./knownjob.js";

const { skip, shop, lab, nodes } = await shareLab(t, { nodes: 2, gpus: 0 }, "power cycle");

t.setTimeout(300_000);

const EPOCHS = "1000";
const EXAMPLE = join(projectRoot(), "examples/training/train.py");
const LAST_LINE = /begins at epoch (\d+)\n$/;

/** Copies the example into a folder of its own, with a pause after each epoch. Returns the job file and the run directory. */
function copyTraining(name: string, keys: object): { job: string; run: string } {
  const slow = readFileSync(EXAMPLE, "utf8").replace(
    "epoch += 1\n",
    'epoch += 1\n        __import__("time").sleep(0.01)\n',
  );
  shop.write(`${name}/train.py`, slow);
  const args = ["--seed", "{seed}", "--epochs", EPOCHS, "--output", "model.json"];
  const base = { name, kind: "matrix", matrix: { seed: [3] }, script: "train.py", args, outputs: ["model.json"] };
  const job = shop.write(`${name}/job.yaml`, { ...base, state: true, state_every: "1s", ...keys });
  return { job, run: join(shop.folder, name, "runs", name) };
}

/** Where the program that runs now began; undefined = none has said so. */
function findRunning(): { node: LabNode; epoch: number } | undefined {
  for (const node of nodes)
    for (const log of listLogs(join(node.root, "root/.muster/runs"))) {
      const [, epoch] = LAST_LINE.exec(readFileSync(log, "utf8")) ?? [];
      if (epoch !== undefined) return { node, epoch: Number(epoch) };
    }
  return undefined;
}

/** The logs of attempts that are on a node; none while the agent makes or removes their folders. */
function listLogs(runs: string): string[] {
  try {
    const entries = readdirSync(runs, { recursive: true, encoding: "utf8" });
    return entries
      .filter((path) => /\/a\/[^/]+\/out$/.test(path))
      .map((path) => join(runs, path))
      .filter(existsSync);
  } catch {
    return [];
  }
}

/** The name of the state that is here; "" = none. */
function readSaved(run: string): string {
  const file = join(run, "state/seed=3/saved.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { name: string }).name : "";
}

async function waitForState(run: string, before: string): Promise<string> {
  await waitUntil("a later state is here", () => !["", before].includes(readSaved(run)));
  return readSaved(run);
}

/** The model that the program trains when nobody disturbs it. */
function trainAlone(): string {
  const output = join(shop.folder, "alone.json");
  execFileSync("python3", [EXAMPLE, "--seed", "3", "--epochs", EPOCHS, "--output", output]);
  return readFileSync(output, "utf8");
}

async function waitForRestart(t: Test, after: number): Promise<number> {
  let began: number | undefined;
  await waitUntil("the next attempt has begun further on", () => {
    began = findRunning()?.epoch;
    return began !== undefined && began > after;
  });
  t.ok(began! > after, `it goes on at epoch ${began}`);
  return began!;
}

t.test("a program that is ended five times goes on where it was, and its result is the same", { skip }, async (t) => {
  const { job, run } = copyTraining("training", { timeout: "4s", retry: { attempts: 9, backoff: "100ms" } });
  const inventory = lab.inventory({ defaults: { grace: "2s" }, node: { slots: 1 } });
  const start = () => watchMuster(startMuster(["run", job, "-i", inventory]));
  const first = start();
  let state = await waitForState(run, "");
  const cut = findRunning()!;
  await cut.node.powerCycle();
  let epoch = await waitForRestart(t, cut.epoch);
  state = await waitForState(run, state);
  const { node } = findRunning()!;
  const program = node.processes().find(({ argv }) => argv.some((word) => word.endsWith("train.py")))!;
  process.kill(program.pid, "SIGKILL");
  epoch = await waitForRestart(t, epoch);
  state = await waitForState(run, state);
  const cancelled = await runMuster(["cancel", run]);
  t.equal(cancelled.code, 0, cancelled.err);
  await first.ended;
  await checkNodes(t, nodes);
  const second = start();
  epoch = await waitForRestart(t, epoch);
  state = await waitForState(run, state);
  second.child.kill("SIGKILL");
  await second.ended;
  const ran = await start().ended;
  t.equal(ran.code, 0, ran.err);
  t.equal(readFileSync(join(run, "results/seed=3/model.json"), "utf8"), trainAlone());
  t.notOk(existsSync(join(run, "state")), "no state is left");
  t.ok(readJournal(run).some((entry) => entry.e === "done"));
  await checkNodes(t, nodes);
});
