import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import {
  findFault,
  ODDITIES,
  removeFolder,
  runPowerless,
  startPowerless,
  writeInventory,
  writeJob,
} from "./oddfiles.js";
import { type MusterResult, TestFolder, waitForExit } from "./startmuster.js";

const BELOW_DARK = "a path below a folder without permission";

const shop = new TestFolder();
t.teardown(() => removeFolder(shop.folder));
let folders = 0;

/** Returns a new folder that is neither a home folder nor above one. */
function makeFolder(): string {
  const folder = join(shop.folder, `${++folders}`);
  mkdirSync(folder);
  return folder;
}

type Command = (folder: string, odd: string) => Promise<MusterResult>;

/** `muster validate` of a job in which `keys` name the odd path. */
function validating(keys: (odd: string) => Record<string, unknown>): Command {
  return (folder, odd) => {
    writeJob(folder, keys(odd.slice(folder.length + 1)));
    return runPowerless(folder, ["validate", "job.yaml"]);
  };
}

/** Commands that read or write the odd path, each with the statuses that it may end with. */
const READERS: Record<string, [exits: number[], command: Command]> = {
  "validate FILE": [[65], (folder, odd) => runPowerless(folder, ["validate", odd])],
  "run FILE": [[65], (folder, odd) => runPowerless(folder, ["run", odd])],
  "nodes -i FILE": [[65], (folder, odd) => runPowerless(folder, ["nodes", "-i", odd])],
  MUSTER_INVENTORY: [[65], (folder, odd) => runPowerless(folder, ["nodes"], { MUSTER_INVENTORY: odd })],
  inputs: [[65], validating((odd) => ({ inputs: [odd], project: "none" }))],
  "inputs of a project": [[65], validating((odd) => ({ inputs: [odd], project: "." }))],
  script: [[65], validating((script) => ({ script }))],
  env_file: [[65], validating((env_file) => ({ env_file }))],
  "code of a project": [[0, 65], validating((odd) => ({ project: ".", code: [odd, "s.sh"] }))],
  "a file of a project": [[0, 65], validating(() => ({ project: "." }))],
  "status DIR": [[0, 64], (folder, odd) => runPowerless(folder, ["status", odd])],
  "logs RUN": [[64], (folder, odd) => runPowerless(folder, ["logs", odd, "n=0"])],
  "report RUN": [[64], (folder, odd) => runPowerless(folder, ["report", odd])],
  "cancel RUN": [[64], (folder, odd) => runPowerless(folder, ["cancel", odd])],
  identity_file: [
    [69],
    (folder, odd) => {
      writeInventory(folder, { identity_file: odd });
      return runPowerless(folder, ["nodes", "-i", "i.yaml"]);
    },
  ],
  "requirements of python_envs": [
    [65, 0],
    (folder, requirements) => {
      const inventory = { nodes: { here: { connection: "local" } }, python_envs: { e: { requirements } } };
      writeFileSync(join(folder, "i.yaml"), JSON.stringify(inventory));
      return runPowerless(folder, ["validate", "i.yaml"]);
    },
  ],
};

/** Commands that write the odd path: the run of a job, which ends well where the path can be made. */
const WRITERS: Record<string, [exits: number[], command: Command]> = {
  "--out DIR": [[0, 3], (folder, odd) => runJob(folder, {}, ["--out", odd])],
  "--results DIR": [[0, 3, 64, 65], (folder, odd) => runJob(folder, {}, ["--results", odd])],
  "results: DIR": [[0, 3, 65], (folder, odd) => runJob(folder, { results: odd })],
  "--metrics FILE": [[0, 3], (folder, odd) => runJob(folder, {}, ["--metrics", odd])],
};

function runJob(folder: string, keys: Record<string, unknown> = {}, options: string[] = []): Promise<MusterResult> {
  writeJob(folder, { project: "none", ...keys });
  return runPowerless(folder, ["run", "job.yaml", ...options]);
}

async function tryAll(t: Test, table: typeof READERS, odditiesOf: (row: number) => string[]): Promise<void> {
  for (const [index, [name, [exits, command]]] of Object.entries(table).entries()) {
    const cases = odditiesOf(index).map(async (what) => {
      const folder = makeFolder();
      const odd = ODDITIES[what]!(join(folder, "odd"));
      return { what, ran: await command(folder, odd) };
    });
    for (const { what, ran } of await Promise.all(cases)) {
      t.equal(findFault(ran), undefined, `${name}: ${what}`);
      t.ok(exits.includes(ran.code!), `${name}: ${what}: exit ${ran.code}\n${ran.out}${ran.err}`);
      if (ran.code === 0) continue;
      const said = `${ran.out}${ran.err}`.replace(/\s+/g, " ");
      t.ok(said.includes("odd"), `${name}: ${what}: the place is named\n${ran.out}${ran.err}`);
    }
  }
}

t.test("whatever lies where a file is read: an error with its place, never a bug", async (t) => {
  // Most commands read files by the same few functions, so each one meets half of the oddities, and the next one the others.
  const oddities = Object.keys(ODDITIES);
  await tryAll(t, READERS, (row) => oddities.filter((_, number) => number % 2 === row % 2));
});

t.test("whatever lies where a run writes: an error with its place, never a bug", async (t) => {
  await tryAll(t, WRITERS, () => [
    "a link to itself",
    "a dangling link",
    "a path below a file",
    "a name of 300 bytes",
    BELOW_DARK,
  ]);
});

t.test("whatever lies in a run directory, commands explain it", async (t) => {
  const whole = makeFolder();
  const first = await runJob(whole);
  t.equal(first.code, 0, first.err);
  const commands = [
    ["status"],
    ["status", "j"],
    ["logs", "j", "n=0"],
    ["report", "j"],
    ["cancel", "j"],
    ["run", "job.yaml"],
  ];
  for (const place of ["runs/j/journal.ndjson", "runs/j/logs", "runs/j/results/n=0", "runs/j"]) {
    for (const what of ["a link to itself", "an empty folder", "a file without permission"]) {
      const folder = makeFolder();
      cpSync(whole, folder, { recursive: true });
      rmSync(join(folder, place), { recursive: true, force: true });
      ODDITIES[what]!(join(folder, place));
      const ran = await Promise.all(commands.slice(0, -1).map((words) => runPowerless(folder, words)));
      ran.push(await runPowerless(folder, commands.at(-1)!));
      for (const [index, one] of ran.entries())
        t.equal(findFault(one), undefined, `${place} is ${what}: ${commands[index]!.join(" ")}`);
    }
  }
});

t.test("a named pipe in a run directory is named, and nothing waits for it", async (t) => {
  const whole = makeFolder();
  const first = await runJob(whole);
  t.equal(first.code, 0, first.err);
  const commands = [["status"], ["logs", "j", "n=0"], ["report", "j"], ["cancel", "j"], ["run", "job.yaml"]];
  for (const name of ["summary.json", "live.json", "results.ndjson", ".key"]) {
    const folder = makeFolder();
    cpSync(whole, folder, { recursive: true });
    rmSync(join(folder, "runs/j", name), { force: true });
    ODDITIES["a named pipe"]!(join(folder, "runs/j", name));
    const all = await Promise.all(commands.map((words) => runPowerless(folder, words)));
    for (const [index, ran] of all.entries()) {
      const words = commands[index]!;
      const what = `${name}: ${words.join(" ")}: ${ran.out}${ran.err}`;
      t.equal(ran.code, words[0] === "status" ? 0 : 65, what);
      t.match(`${ran.out}${ran.err}`.replace(/\s+/g, " "), `runs/j/${name} is a pipe, not a file`, what);
    }
  }
  const folder = makeFolder();
  cpSync(whole, folder, { recursive: true });
  rmSync(join(folder, "runs/j/journal.ndjson"));
  ODDITIES["a named pipe"]!(join(folder, "runs/j/journal.ndjson"));
  const all = await Promise.all(commands.map((words) => runPowerless(folder, words)));
  for (const [index, ran] of all.entries()) {
    const words = commands[index]!;
    t.equal(findFault(ran), undefined, `journal.ndjson: ${words.join(" ")}`);
    if (words[0] === "run") t.match(ran, { code: 65, err: /journal\.ndjson is a pipe, not a file/ });
  }
  const logs = join(whole, "runs/j/logs");
  rmSync(join(logs, "n=0.out"), { force: true });
  ODDITIES["a named pipe"]!(join(logs, "n=0.out"));
  t.match(await runPowerless(whole, ["logs", "j", "n=0"]), { code: 65, err: /n=0\.out is a pipe, not a file/ });
});

t.test("names that are not UTF-8 are shown with their bytes", async (t) => {
  const folder = makeFolder();
  mkdirSync(join(folder, "data"));
  writeFileSync(Buffer.from(join(folder, "data", "caf\xe9"), "latin1"), "");
  writeJob(folder, { inputs: ["data"], project: "none" });
  const input = await runPowerless(folder, ["validate", "job.yaml"]);
  t.equal(input.code, 65);
  t.match(input.err, /inputs\[0\]: "data" contains a file whose name is not valid UTF-8 \(caf\\xe9 in .*data\)/);
  writeFileSync(Buffer.from(join(folder, "job\xe9.yaml"), "latin1"), "kind: range\n");
  const named = await waitForExit(startPowerless(folder, `exec "$@" "$(printf 'job\\351.yaml')"`, ["validate"], {}));
  t.equal(named.code, 65);
  t.equal(findFault(named), undefined);
});

t.test("a current folder that is gone, and a home folder that is not known", async (t) => {
  const gone = join(makeFolder(), "gone");
  for (const words of [["status"], ["nodes"], ["run", "job.yaml"], ["cancel"]]) {
    mkdirSync(gone);
    const ran = await waitForExit(startPowerless(dirname(gone), 'cd gone; rmdir "$PWD"; exec "$@"', words, {}));
    t.equal(findFault(ran), undefined, words.join(" "));
    t.match(ran.err, /the current folder does not exist any more/, words.join(" "));
  }
  const folder = makeFolder();
  writeInventory(folder, { identity_file: join(folder, "none") });
  writeJob(folder);
  for (const words of [["nodes", "-i", "i.yaml"], ["validate", "job.yaml"], ["nodes"]]) {
    const ran = await runPowerless(folder, words, { HOME: undefined });
    t.equal(findFault(ran), undefined, words.join(" "));
  }
});
