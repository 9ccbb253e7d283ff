import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { findProgram } from "../lab/requirements.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";

const { skip, shop, nodes, inventory } = await shareLab(t, { nodes: 2, gpus: 2 }, "looking into nodes");

/** Where builds note on a node that they ran. */
const COUNT = "/var/tmp/builds";

/** How often builds ran on each node. */
function counts(): number[] {
  return nodes.map((node) => {
    const file = join(node.root, COUNT);
    return existsSync(file) ? readFileSync(file, "utf8").length : 0;
  });
}

t.afterEach(() => {
  for (const node of nodes) rmSync(join(node.root, COUNT), { force: true });
});

const noCompiler = ["cc", "make"].every((name) => findProgram(name) !== undefined)
  ? false
  : "no compiler here: apt-get install gcc make";

const SQUARE = `#include <stdio.h>
#include <stdlib.h>
int main(int count, char **words) {
  long n = atol(words[1]);
  FILE *file = fopen(words[2], "w");
  fprintf(file, "%ld\\n", n * n + BIAS);
  return fclose(file);
}
`;
const MAKEFILE = `square: square.c bias.h
\tprintf x >> ${COUNT}
\tcc -include bias.h -o square square.c
`;

t.test(
  "a C program is built once for many chunks, again after a change, and never twice",
  { skip: skip || noCompiler },
  async (t) => {
    shop.write("c/square.c", SQUARE);
    shop.write("c/bias.h", "#define BIAS 0\n");
    shop.write("c/Makefile", MAKEFILE);
    shop.write("c/.project-root", "");
    const tasks = Array.from({ length: 12 }, (_, n) => ({
      id: `${n}`,
      args: [`sleep 0.5; ./square ${n} ${n}.txt`],
      outputs: [`${n}.txt`],
    }));
    const build = { command: ["make"], outputs: ["square"] };
    const file = shop.write("c/job.json", { name: "squares", kind: "tasks", command: ["sh", "-c"], build, tasks });
    const results = (run: string) => tasks.map(({ id }) => Number(shop.read(`c/runs/${run}/results/${id}.txt`)));
    const ran = await runMuster(["run", file, "-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    t.same(
      results("squares"),
      tasks.map((_, n) => n * n),
    );
    t.same(counts(), [1, 1]);
    for (const node of nodes) t.match(shop.read(`c/runs/squares/logs/build-${node.name}.log`), /cc -include bias.h/);
    const again = await runMuster(["run", file, "-i", inventory, "--fresh"]);
    t.equal(again.code, 0, again.err);
    t.same(counts(), [1, 1], "the second run uses the results of the first");
    t.notMatch(again.err, /built in/);
    shop.write("c/bias.h", "#define BIAS 7\n");
    const changed = await runMuster(["run", file, "-i", inventory, "--fresh"]);
    t.equal(changed.code, 0, changed.err);
    t.same(
      results("squares-3"),
      tasks.map((_, n) => n * n + 7),
    );
    t.same(counts(), [2, 2]);
    for (const node of nodes) t.same(await node.quiet(30), [], `no process is left on ${node.name}`);
  },
);

/** Writes a job of four chunks that print what was built by a shell script. */
function writeJob(name: string, script: string, more = {}): string {
  shop.write(`${name}/.project-root`, "");
  const build = { command: ["sh", "-c", script], outputs: ["tool"] };
  const tasks = ["a", "b", "c", "d"].map((id) => ({ id, args: [`sleep 0.5; cat tool > ${id}`], outputs: [id] }));
  return shop.write(`${name}/job.json`, { name, kind: "tasks", command: ["sh", "-c"], build, tasks, ...more });
}

t.test(
  "a build that fails on one node excludes that node only; one that fails everywhere ends the run",
  { skip },
  async (t) => {
    const script = `printf x >> ${COUNT}; echo looking for the compiler; test ! -e /var/tmp/bad && echo good > tool`;
    const bad = nodes[1]!;
    await bad.exec(["touch", "/var/tmp/bad"]);
    const file = writeJob("half", script);
    const ran = await runMuster(["run", file, "-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    t.match(
      ran.err,
      new RegExp(`${bad.name}: refused: the build \\(sh .*\\) failed: exit code 1\\n    looking for the compiler\\n`),
    );
    t.match(
      ran.err,
      new RegExp(`The whole log: \\S*half/runs/half/logs/build-${bad.name}.log. If the project is at fault`),
    );
    t.equal(shop.read("half/runs/half/results/a"), "good\n");
    t.same([...new Set(shop.results("half/runs/half").map(({ node }) => node))], [nodes[0]!.name]);
    t.same(counts(), [1, 1], "it is not tried again");
    t.same(await bad.quiet(30), [], "nothing is left there");
    t.notMatch(ran.err, /cleaned/);
    const none = await runMuster(["run", writeJob("none", "echo no >&2; exit 5"), "-i", inventory]);
    t.equal(none.code, 69, none.err);
    for (const node of nodes) t.same(await node.quiet(30), [], `nothing is left on ${node.name}`);
    await bad.exec(["rm", "/var/tmp/bad"]);
    const resumed = await runMuster(["run", file, "-i", inventory]);
    t.match(resumed, { code: 0, out: /already complete/ });
  },
);

t.test("two runs at once build once", { skip }, async (t) => {
  const script = `printf x >> ${COUNT}; while [ ! -e /var/tmp/go ]; do sleep 0.1; done; echo good > tool`;
  const file = writeJob("both", script);
  const runs = ["one", "two"].map((out) => {
    const child = startMuster(["run", file, "-i", inventory, "--out", join(shop.folder, out)]);
    let err = "";
    child.stderr!.on("data", (bytes) => {
      err += bytes;
    });
    return { ended: waitForExit(child), err: () => err };
  });
  const isBuilding = (err: string) => nodes.every(({ name }) => err.includes(`${name}: building (sh -c printf x`));
  await waitUntil("both builds are reported", () => runs.every(({ err }) => isBuilding(err())));
  t.same(counts(), [1, 1]);
  for (const node of nodes) await node.exec(["touch", "/var/tmp/go"]);
  for (const { code, err } of await Promise.all(runs.map(({ ended }) => ended))) t.equal(code, 0, err);
  t.same(counts(), [1, 1]);
  const said = runs.map(({ err }) => err()).join("");
  t.match(said, /: built in \d+ s\n/);
  t.match(said, /: another run has built it\n/);
  for (const node of nodes) await node.exec(["rm", "/var/tmp/go"]);
});

t.test("a coordinator that is killed or interrupted during a build comes back to it", { skip }, async (t) => {
  const script = `printf x >> ${COUNT}; while [ ! -e /var/tmp/go ]; do sleep 0.1; done; echo good > tool`;
  const file = writeJob("away", script);
  for (const signal of ["SIGKILL", "SIGINT"] as const) {
    const child = startMuster(["run", file, "-i", inventory]);
    const ended = waitForExit(child);
    let err = "";
    child.stderr!.on("data", (bytes) => {
      err += bytes;
    });
    await waitUntil("it builds", () => nodes.every(({ name }) => err.includes(`${name}: building`)));
    child.kill(signal);
    t.equal((await ended).code, signal === "SIGINT" ? 130 : null);
  }
  t.same(counts(), [1, 1]);
  for (const node of nodes) await node.exec(["touch", "/var/tmp/go"]);
  const ran = await runMuster(["run", file, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.same(counts(), [1, 1], "the build continued meanwhile");
  t.equal(shop.read("away/runs/away/results/d"), "good\n");
  for (const node of nodes) await node.exec(["rm", "/var/tmp/go"]);
  for (const node of nodes) t.same(await node.quiet(30), []);
});

t.test("a run that ends while a node still builds, or is cancelled then, leaves nothing there", { skip }, async (t) => {
  await nodes[1]!.exec(["touch", "/var/tmp/slow"]);
  const script = `printf x >> ${COUNT}; test ! -e /var/tmp/slow || sleep 1000; echo good > tool`;
  const ran = await runMuster(["run", writeJob("slow", script), "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.same(counts(), [1, 1]);
  for (const node of nodes) t.same(await node.quiet(30), [], `nothing is left on ${node.name}`);

  const limit = ["-i", inventory, "--limit", nodes[1]!.name];
  const child = startMuster(["run", writeJob("endless", script), ...limit]);
  const ended = waitForExit(child);
  await waitUntil("it builds", () => counts()[1] === 2);
  child.kill("SIGKILL");
  await ended;
  const cancelled = await runMuster(["cancel", join(shop.folder, "endless/runs/endless"), ...limit.slice(0, 2)]);
  t.equal(cancelled.code, 0, cancelled.err);
  t.same(await nodes[1]!.quiet(30), []);
  await nodes[1]!.exec(["rm", "/var/tmp/slow"]);
});

t.test("the agent is killed during a build: the node is attached again, and builds", { skip }, async (t) => {
  const script = `printf x >> ${COUNT}; while [ ! -e /var/tmp/go ]; do sleep 0.1; done; echo good > tool`;
  const child = startMuster(["run", writeJob("agent", script), "-i", inventory, "--limit", nodes[0]!.name]);
  const ended = waitForExit(child);
  await waitUntil("it builds", () => counts()[0] === 1);
  const builds = (words: string[]) => words[0] === "sh" && words[2]?.startsWith("printf x") === true;
  const build = nodes[0]!.processes().find(({ argv }) => builds(argv))!;
  process.kill(build.parent, "SIGKILL");
  await waitUntil("it builds again", () => counts()[0] === 2);
  t.notOk(
    nodes[0]!.processes().some(({ pid }) => pid === build.pid),
    "the first one was ended",
  );
  await nodes[0]!.exec(["touch", "/var/tmp/go"]);
  const ran = await ended;
  t.equal(ran.code, 0, ran.err);
  await nodes[0]!.exec(["rm", "/var/tmp/go"]);
  t.same(await nodes[0]!.quiet(30), []);
});
