import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { runMuster, startMuster, waitForExit } from "../cli/startmuster.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkNodes, readJournal } from "./checks.js";

const { skip, shop, nodes, inventory } = await shareLab(t, { nodes: 1, gpus: 2 }, "looking into nodes");

const runOf = (name: string) => join(shop.folder, "runs", name);
const logOf = (name: string, file: string) => readFileSync(join(runOf(name), "logs", file), "utf8");
/** Whether the node has a file of this name in the working folder of the run. */
const hasMark = (mark: string) => nodes.some((node) => existsSync(join(node.root, "tmp", mark)));

/** Writes a job of two chunks: one that continues for minutes, with a lot of output, and one that runs `other`. */
function writeJob(name: string, other: string, keys: object = {}): string {
  const long = `echo begun; echo working >&2; head -c 100000 /dev/zero | tr '\\0' x; echo > /tmp/${name}; sleep 300`;
  const tasks = [
    { id: "long", command: ["sh", "-c", long] },
    { id: "other", command: ["sh", "-c", other] },
  ];
  return shop.write(`${name}.yaml`, { name, kind: "tasks", tasks, retry: { attempts: 1 }, ...keys });
}

t.test("muster cancel keeps the output of what still runs, and the next attempt follows it", { skip }, async (t) => {
  const job = writeJob("cancelled", "echo done");
  const coordinator = startMuster(["run", job, "-i", inventory]);
  const ended = waitForExit(coordinator);
  await waitUntil("the long chunk runs, the other one is done", () => {
    return hasMark("cancelled") && readJournal(runOf("cancelled")).some((entry) => entry.e === "done");
  });
  const cancel = await runMuster(["cancel", runOf("cancelled")]);
  t.equal(cancel.code, 0, cancel.err);
  await ended;
  await checkNodes(t, nodes);
  t.match(logOf("cancelled", "long.out"), /^begun\nx{100000}$/);
  t.equal(logOf("cancelled", "long.err"), "working\n");
  t.equal(logOf("cancelled", "other.out"), "done\n");
  t.notOk(existsSync(join(runOf("cancelled"), "logs/attempts")), "it is the last attempt");
  t.match(
    readJournal(runOf("cancelled")).filter((entry) => entry.e === "log"),
    [{ chunk: "long", attempt: 1, lostLog: undefined }],
  );
  for (const node of nodes) rmSync(join(node.root, "tmp/cancelled"));
  const again = startMuster(["run", job, "-i", inventory]);
  const stopped = waitForExit(again);
  await waitUntil("it runs again", () => hasMark("cancelled"));
  t.equal((await runMuster(["cancel", runOf("cancelled")])).code, 0);
  await stopped;
  t.same(readdirSync(join(runOf("cancelled"), "logs/attempts/long")).sort(), ["1.err", "1.out"]);
  await checkNodes(t, nodes);
});

t.test("muster cancel gives a program the grace of its job, and keeps what it prints then", { skip }, async (t) => {
  const save = "trap 'sleep 9; echo saved; exit 0' TERM; touch /tmp/other; while :; do sleep 0.1; done";
  const job = writeJob("saving", save, { grace: "40s" });
  const ended = waitForExit(startMuster(["run", job, "-i", inventory]));
  await waitUntil("both run", () => hasMark("saving") && hasMark("other"));
  const cancel = await runMuster(["cancel", runOf("saving")]);
  t.equal(cancel.code, 0, cancel.err);
  t.match(cancel.err, "waiting for its programs to end, for 40 s at most (grace)");
  await ended;
  t.equal(logOf("saving", "other.out"), "saved\n");
  await checkNodes(t, nodes);
});

t.test("muster cancel keeps the output of what failed while no coordinator was there", { skip }, async (t) => {
  const job = writeJob("unseen", "until [ -e /tmp/gone ]; do sleep 0.1; done; echo bad >&2; touch /tmp/failed; exit 9");
  const coordinator = startMuster(["run", job, "-i", inventory]);
  const ended = waitForExit(coordinator);
  await waitUntil("the long chunk runs", () => hasMark("unseen"));
  coordinator.kill("SIGKILL");
  await ended;
  for (const node of nodes) writeFileSync(join(node.root, "tmp/gone"), "");
  await waitUntil("the other chunk has failed", () => hasMark("failed"));
  const cancel = await runMuster(["cancel", runOf("unseen")]);
  t.match(cancel, { code: 0, out: /0 chunks done and kept, nothing is left/ });
  t.equal(logOf("unseen", "other.err"), "bad\n");
  t.equal(logOf("unseen", "long.err"), "working\n");
  await checkNodes(t, nodes);
});

t.test("a run that is halted keeps the output of what still runs", { skip }, async (t) => {
  const wait = "until [ -e /tmp/halted ]; do sleep 0.1; done; echo bad >&2; exit 9";
  const job = writeJob("halted", wait, { halt: { failures: 1 } });
  const ran = await runMuster(["run", job, "-i", inventory]);
  t.equal(ran.code, 3, ran.err + ran.out);
  t.match(ran.out, /halted|stopped/i);
  t.match(logOf("halted", "long.out"), /^begun\nx{100000}$/);
  t.equal(logOf("halted", "long.err"), "working\n");
  t.equal(logOf("halted", "other.err"), "bad\n");
  await checkNodes(t, nodes);
});
