import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { runMuster, startMuster, waitForExit } from "../cli/startmuster.js";
import { shareLab } from "../lab/sharedlab.js";
import { checkNodes, committedChunks, listFiles } from "./checks.js";

const { skip, shop, nodes, inventory } = await shareLab(t, { nodes: 2, gpus: 0 }, "looking into nodes");

const words = (file: string) => ["run", file, "-i", inventory];

/** Writes a job whose results are published in its project. Returns the path of the job file. */
function writeJob(name: string, worker: string, keys: object): string {
  shop.write(`${name}/w.py`, `import os, sys\n${worker}`);
  return shop.write(`${name}/job.json`, { kind: "tasks", script: "w.py", results: ".", ...keys });
}

/** Kills a run at a step, some chunks being committed, and resumes it. */
async function resume(t: Test, file: string, step: string, more: string[] = []): Promise<void> {
  const child = startMuster([...words(file), ...more], { env: { MUSTER_KILL_AT: step } });
  const { err } = await waitForExit(child);
  t.equal(child.signalCode, "SIGKILL", `killed at ${step}: ${err}`);
  const ran = await runMuster([...words(file), ...more]);
  t.equal(ran.code, 0, ran.err);
}

const EDIT = "open('data%s.csv' % sys.argv[1], 'a').write('edited ' + sys.argv[1])\n";

function writeEditing(name: string, keys: object = {}): string {
  for (const n of [0, 1, 2, 3, 4, 5, 6, 7]) shop.write(`${name}/data${n}.csv`, `begin ${n}\n`);
  return writeJob(name, EDIT, {
    tasks: [0, 1, 2, 3, 4, 5, 6, 7].map((n) => ({
      id: `t${n}`,
      args: [`${n}`],
      inputs: [`data${n}.csv`],
      outputs: [`data${n}.csv`],
    })),
    ...keys,
  });
}

t.test("an edited input is published beside its source", { skip }, async (t) => {
  const file = writeEditing("beside");
  await resume(t, file, "journaled");
  for (const n of [0, 7]) {
    t.equal(shop.read(`beside/data${n}.csv`), `begin ${n}\n`);
    t.equal(shop.read(`beside/data${n}.csv.new`), `begin ${n}\nedited ${n}`);
  }
  t.match(await runMuster(words(file)), { code: 0, out: /already complete/ });
  const fresh = await runMuster([...words(file), "--fresh"]);
  t.match(fresh, { code: 65, err: /did not publish:\n {4}data0\.csv\.new\n/ });
  await checkNodes(t, nodes);
});

t.test("an edited input replaces its source where it may, and the run can be resumed", { skip }, async (t) => {
  const file = writeEditing("over", { retry: { attempts: 1 } });
  for (const step of ["published", "journaled", "replacing", "replaced", "closing"]) {
    const child = startMuster([...words(file), "--overwrite"], { env: { MUSTER_KILL_AT: step } });
    await waitForExit(child);
    t.equal(child.signalCode, "SIGKILL", step);
  }
  const ran = await runMuster([...words(file), "--overwrite"]);
  t.equal(ran.code, 0, ran.err);
  for (const n of [0, 1, 2, 3, 4, 5, 6, 7]) t.equal(shop.read(`over/data${n}.csv`), `begin ${n}\nedited ${n}`);
  t.same(
    listFiles(join(shop.folder, "over")).filter((path) => /\.new$|muster-/.test(path)),
    [],
  );
  t.match(await runMuster(words(file)), { code: 0, out: /already complete/ });
  await checkNodes(t, nodes);
});

for (const [name, what, outputs] of [
  ["file", "outputs", (n: number) => [`data/x${n}.json`]],
  ["out", "a folder of outputs", () => ["data/out/"]],
  ["glob", "a glob", (n: number) => [`data/x${n}*.json`]],
] as const)
  t.test(`results among the inputs: ${what}`, { skip }, async (t) => {
    const worker = `
names = sorted(os.listdir("data"))
path = "data/out" if os.path.isdir("data/out") else "data"
open("%s/x%s.json" % (path, sys.argv[1]), "w").write(" ".join(names))
`;
    shop.write(`${name}/data/in.txt`, "in");
    const tasks = Array.from({ length: 12 }, (_, n) => ({ id: `t${n}`, args: [`${n}`], outputs: outputs(n) }));
    const file = writeJob(name, worker, { inputs: ["data/"], tasks });
    await resume(t, file, "journaled");
    const seen = name === "out" ? "in.txt out" : "in.txt";
    for (let n = 0; n < 12; n++)
      t.equal(shop.read(`${name}/data/${name === "out" ? "out/" : ""}x${n}.json`), seen, `t${n} got the inputs`);
    t.match(await runMuster(words(file)), { code: 0, out: /already complete/ });
    t.match(await runMuster([...words(file), "--fresh", "--overwrite"]), { code: 0 });
    await checkNodes(t, nodes);
  });

t.test("run directories in a folder of inputs are left out", { skip }, async (t) => {
  shop.write("within/data/in.txt", "in");
  const worker = "open('r%s' % sys.argv[1], 'w').write(' '.join(sorted(os.listdir('data'))))\n";
  const tasks = [0, 1, 2, 3].map((n) => ({ id: `t${n}`, args: [`${n}`], outputs: [`r${n}`] }));
  const file = writeJob("within", worker, { inputs: ["data/"], tasks });
  await resume(t, file, "journaled", ["--out", join(shop.folder, "within/data/runs/one")]);
  t.equal(shop.read("within/r3"), "in.txt");
  const again = await runMuster([...words(file), "--out", join(shop.folder, "within/data/runs/two"), "--overwrite"]);
  t.equal(again.code, 0, again.err);
  t.equal(shop.read("within/r0"), "in.txt");
  await checkNodes(t, nodes);
});

t.test(
  "--results and --overwrite of a job that names no folder; a killed run leaves no partial files",
  { skip },
  async (t) => {
    const tasks = [0, 1, 2, 3].map((n) => ({ id: `t${n}`, args: [`${n}`], outputs: [`deep/r${n}`] }));
    const worker = "os.makedirs('deep', exist_ok=True)\nopen('deep/r' + sys.argv[1], 'w').write('r' * 50000)\n";
    const file = writeJob("option", worker, { results: undefined, tasks });
    const target = join(shop.folder, "elsewhere/new");
    const alone = await runMuster([...words(file), "--overwrite"]);
    t.match(alone, { code: 64, err: "--overwrite needs a folder of results" });
    await resume(t, file, "written", ["--results", target]);
    t.same(listFiles(target), ["deep/r0", "deep/r1", "deep/r2", "deep/r3"]);
    t.same(readdirSync(target), ["deep"], "nothing of muster's is left");
    t.equal(existsSync(join(shop.folder, "option/runs/job/results")), false);
    const other = await runMuster([...words(file), "--results", join(shop.folder, "third")]);
    t.equal(other.code, 65, other.out);
    t.match(
      other.err,
      `third/deep/r0 is missing\n    The run began with its results in ${target}: continue it with --results`,
    );
    t.equal(existsSync(join(shop.folder, "third")), false);
    await checkNodes(t, nodes);
  },
);

t.test("a run whose published file was removed or replaced by a folder says so", { skip }, async (t) => {
  const tasks = [0, 1, 2, 3].map((n) => ({ id: `t${n}`, args: [`${n}`], outputs: [`r${n}`] }));
  const worker = "open('r' + sys.argv[1], 'w').write('r')\n";
  const file = writeJob("gone", worker, { tasks });
  await resume(t, file, "journaled");
  t.equal(committedChunks(join(shop.folder, "gone/runs/job")).length, 4);
  rmSync(join(shop.folder, "gone/r2"));
  t.match(await runMuster(words(file)), { code: 65, err: /gone\/r2 is missing\n\s+Restore what was there/ });
  writeFileSync(join(shop.folder, "gone/r2"), "r");
  t.match(await runMuster(words(file)), { code: 0, out: /already complete/ });
});
