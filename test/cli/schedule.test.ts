import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, TestFolder, waitForExit } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());
// A crontab program that stores its table in a file; crond.test.ts uses the real one.
shop.write(
  "bin/crontab",
  '#!/bin/sh\nF="$(dirname "$0")/table"\ncase $1 in\n-l) [ -e "$F" ] && cat "$F" || { echo "no crontab for me" >&2; exit 1; };;\n-) cat > "$F"; echo x >> "$F.writes";;\nesac\n',
  0o755,
);
const env = { PATH: `${join(shop.folder, "bin")}:${process.env.PATH}` };
const schedule = (...words: string[]) => runMuster(["schedule", ...words], { env, cwd: shop.folder });
const runsIn = (folder: string) =>
  readdirSync(join(shop.folder, folder, "runs")).filter((name) => /\d{8}T\d{6}Z/.test(name));

t.test("show, install, install again, remove", async (t) => {
  const file = shop.write("a b%'/night.yaml", {
    name: "night",
    schedule: "0 2 * * *",
    steps: { one: { command: ["true"], schedule: "@reboot" } },
  });
  const shown = await schedule("show", file, "-i", "local");
  t.equal(shown.code, 0, shown.err);
  t.match(
    shown.out,
    /night: 0 2 \* \* \*, not in the crontab\n +next: \d{4}-\d\d-\d\d 02:00, \S+ 02:00, \S+ 02:00\n +0 2 /,
  );
  t.match(shown.out, /night, step one: @reboot, not in the crontab\n +next: when this machine starts/);
  const nocron = await runMuster(["schedule", "show", file, "-i", "local"], {
    env: { PATH: join(shop.folder, "nothing") },
  });
  t.equal(nocron.code, 0);
  t.match(nocron.err, /the program crontab is not installed\n +Install cron/);
  t.match(nocron.out, /night: 0 2/);
  const mine = "# mine\n5 5 * * * backup % x\nMAILTO=me";
  shop.write("bin/table", mine);
  t.equal((await schedule("install", file, "-i", "local")).code, 0);
  const table = shop.read("bin/table");
  t.ok(table.startsWith(`${mine}\n# BEGIN muster ${file}\n`));
  t.match((await schedule("install", file, "-i", "local")).out, /night: already installed/);
  t.equal(shop.read("bin/table"), table);
  t.equal(shop.read("bin/table.writes"), "x\n", "and is not even written again");
  t.match((await schedule("show", file, "-i", "local", "--json")).out, /"installed": "yes"/);
  shop.write("a b%'/night.yaml", { name: "night", schedule: "0 3 * * *", steps: { one: { command: ["true"] } } });
  t.match((await schedule("show", file, "-i", "local")).out, /the crontab has a different entry/);
  t.equal((await schedule("install", file, "-i", "local")).code, 0);
  t.equal(shop.read("bin/table").match(/BEGIN/g)!.length, 1);
  const line = shop
    .read("bin/table")
    .split("\n")
    .find((one) => one.startsWith("0 3"))!;
  const command = line.slice("0 3 * * * ".length).replaceAll("\\%", "%");
  const ran = spawnSync("/bin/sh", ["-c", command], { env: {}, cwd: "/", encoding: "utf8" });
  t.match(ran, { status: 0, stdout: "", stderr: "" }, "it runs with nothing in its environment, and is silent");
  t.equal(runsIn("a b%'").length, 1);
  t.match((await schedule("remove", file)).out, /removed/);
  t.equal(shop.read("bin/table"), `${mine}\n`);
  t.match((await schedule("remove", file)).out, /was not installed/);
});

t.test("lines of the user that are not UTF-8 are kept byte for byte", async (t) => {
  const file = shop.write("bytes/p.yaml", { schedule: "0 2 * * *", steps: { one: { command: ["true"] } } });
  const mine = Buffer.concat([
    Buffer.from("# Täglich um f\r\n"),
    Buffer.from(
      "# fr\xfcher: \xa4 \xc0\x80 \xed\xa0\x80\n5 5 * * * echo '\xe4' > /srv/\xfc\n\xff\xfe# \0 x\n",
      "latin1",
    ),
    Buffer.from("6 6 * * * no newline"),
  ]);
  writeFileSync(join(shop.folder, "bin/table"), mine);
  t.match(await schedule("install", file, "-i", "local"), { code: 0 });
  const table = readFileSync(join(shop.folder, "bin/table"));
  t.ok(table.subarray(0, mine.length).equals(mine));
  t.equal(table.subarray(mine.length, mine.length + 8).toString(), "\n# BEGIN");
  t.match(await schedule("remove", file), { code: 0 });
  t.ok(readFileSync(join(shop.folder, "bin/table")).equals(Buffer.concat([mine, Buffer.from("\n")])));
});

t.test(
  "rejected with the position: an expression that cron cannot read, and a pipeline without a schedule",
  async (t) => {
    const bad = shop.write("bad.yaml", 'steps: {a: {command: ["true"]}}\nschedule: "0 25 * * *"\n');
    const refused = await schedule("install", bad, "-i", "local");
    t.match(refused, { code: 65, err: /bad\.yaml:2:11: schedule: .*hour: 25/ });
    t.match(await runMuster(["run", bad, "-i", "local"]), { code: 65 });
    const none = shop.write("none.yaml", 'steps: {a: {command: ["true"]}}\n');
    t.match(await schedule("show", none, "-i", "local"), {
      code: 65,
      err: /neither the pipeline nor a step of it has a `schedule`/,
    });
    t.equal((await schedule("instal", none)).code, 64);
  },
);

t.test("scheduled runs of a pipeline run one at a time: skip, fail, wait", async (t) => {
  const file = shop.write("lap/p.yaml", {
    steps: { a: { command: ["sh", "-c", "touch began; until [ -e go ]; do sleep 0.1; done"] } },
  });
  const cron = (...words: string[]) => runMuster(["run", "--cron", file, "-i", "local", ...words]);
  const first = startMuster(["run", "--cron", file, "-i", "local"]);
  const firstEnded = waitForExit(first);
  await waitUntil("its first lap has begun", () => existsSync(join(shop.folder, "lap/began")));
  t.match(await cron(), { code: 0, out: "", err: "" }, "skipped in silence");
  t.match(
    shop.read("lap/runs/p.log"),
    new RegExp(`skipped: process ${first.pid} on .* is still running this pipeline`),
  );
  t.match(await cron("--overlap", "fail"), {
    code: 75,
    err: new RegExp(`p: process ${first.pid} on .* is still running it`),
  });
  t.match(await cron("--lock-wait", "1s"), { code: 75 }, "waited in vain");
  const waiting = waitForExit(startMuster(["run", "--cron", file, "-i", "local", "--overlap", "wait"]));
  writeFileSync(join(shop.folder, "lap/go"), "");
  t.match(await firstEnded, { code: 0, out: "", err: "" });
  t.match(await waiting, { code: 0, out: "", err: "" });
  t.equal(runsIn("lap").length, 2);
  for (const words of [
    ["--overlap", "never"],
    ["--overlap", "skip", "--lock-wait", "1s"],
    ["--out", "x"],
  ])
    t.equal((await cron(...words)).code, 64);
  const job = shop.write("lap/j.yaml", { kind: "matrix", matrix: { n: [0, 1] }, command: ["true"], args: [] });
  for (const other of [job, file])
    t.match(await runMuster(["run", other, "-i", "local", "--lock-wait", "1s"]), { code: 64, err: /require --cron/ });
});

t.test("two files with the same name share neither a lock nor runs", async (t) => {
  const write = (file: string, keep: number) =>
    shop.write(`same/${file}.yaml`, {
      name: "night",
      keep,
      steps: { a: { command: ["sh", "-c", `touch began-${file}; until [ -e go ]; do sleep 0.1; done`] } },
    });
  const [one, two] = [write("one", 5), write("two", 1)];
  const start = (file: string) => waitForExit(startMuster(["run", "--cron", file, "-i", "local"]));
  const both = [start(one), start(two)];
  await waitUntil("both are running", () =>
    ["one", "two"].every((file) => existsSync(join(shop.folder, `same/began-${file}`))),
  );
  shop.write("same/go", "");
  t.match(await Promise.all(both), [{ code: 0 }, { code: 0 }]);
  for (const file of [one, two]) t.match(await start(file), { code: 0, err: "" });
  const files = runsIn("same").map(
    (run) => JSON.parse(shop.read(`same/runs/${run}/journal.ndjson`).split("\n")[0]!).file,
  );
  t.same(files.sort(), [one, one, two], "each file removes only runs of its own");
});

t.test("a scheduled run that cannot write reports it", async (t) => {
  const file = shop.write("unwritable/p.yaml", { steps: { a: { command: ["true"] } } });
  shop.write("unwritable/runs", "");
  t.match(await runMuster(["run", "--cron", file, "-i", "local"]), {
    code: 3,
    err: /cannot write to the run directory \S+\/runs: it is a file and not a folder\n\s+Move the file away/,
  });
});

t.test("a killed scheduled run is resumed; only finished runs are pruned", async (t) => {
  const steps = {
    a: { command: ["sh", "-c", "test ! -e bad || (echo no luck >&2; exit 4)"] },
    b: { command: ["true"], needs: ["a"] },
  };
  const file = shop.write("keep/p.yaml", { keep: 1, steps });
  const cron = (env: Record<string, string> = {}) => runMuster(["run", "--cron", file, "-i", "local"], { env });
  t.equal((await cron({ MUSTER_KILL_AT: "step-ended:1" })).code, null);
  const [killed] = runsIn("keep");
  t.equal((await cron()).code, 0);
  t.same(runsIn("keep"), [killed], "the same run continued");
  shop.write("keep/runs/p-20200101T000000Z/notes.txt", "not a run of muster's");
  shop.write(`keep/runs/${killed}/notes.txt`, "mine");
  shop.write("keep/bad", "");
  const failed = await cron();
  t.equal(failed.code, 3);
  t.equal(failed.out, "");
  t.match(
    failed.err,
    /^muster: p: failed\n {2}a: failed, .*: exit code 4\n {6}no luck\n {2}b: blocked: it needs a\nsee: muster status \S+\n$/,
  );
  t.ok(runsIn("keep").includes(killed!), "what somebody else put there is not deleted");
  t.match(shop.read("keep/runs/p.log"), /not removed, because it holds files that are not muster.s/);
  const { code } = await cron({ MUSTER_KILL_AT: "step-begun:1" });
  t.equal(code, null);
  shop.write("keep/p.yaml", { keep: 1, steps: { ...steps, c: { command: ["true"] } } });
  await cron();
  const left = runsIn("keep");
  t.same(left.slice(0, 2), ["p-20200101T000000Z", killed]);
  t.equal(left.length, 4, `the unfinished one, and the last: ${left}`);
});

t.test("under cron there is no ssh agent: the failure says so for an encrypted key", async (t) => {
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "a passphrase", "-f", join(shop.folder, "sealed")]);
  const node = { host: "127.0.0.1", port: 1, user: "x", identity_file: join(shop.folder, "sealed"), slots: 1 };
  const inventory = shop.write("agent/inventory.yaml", { nodes: { far: node } });
  shop.write("agent/job.yaml", { kind: "matrix", matrix: { n: [0, 2] }, command: ["true"], args: [] });
  const file = shop.write("agent/p.yaml", { steps: { a: { job: "job.yaml" } } });
  const ran = await runMuster(["run", "--cron", file, "-i", inventory], { env: { SSH_AUTH_SOCK: "" } });
  t.equal(ran.code, 69);
  t.equal(ran.out, "");
  t.match(
    ran.err,
    /a: failed, .*: no usable node is left\n +far: refused: .*sealed is encrypted, .*; no ssh agent is available/,
  );
});

t.test("finished runs are pruned by age", async (t) => {
  const file = shop.write("age/p.yaml", { keep: "30d", steps: { a: { command: ["true"] } } });
  const cron = () => runMuster(["run", "--cron", file, "-i", "local"]);
  for (const _ of [1, 2]) t.equal((await cron()).code, 0);
  const [old, young] = runsIn("age");
  const ago = (days: number) => new Date(Date.now() - days * 86_400_000);
  utimesSync(join(shop.folder, "age/runs", old!, "journal.ndjson"), ago(31), ago(31));
  utimesSync(join(shop.folder, "age/runs", young!, "journal.ndjson"), ago(29), ago(29));
  t.equal((await cron()).code, 0);
  const left = runsIn("age");
  t.equal(left.length, 2);
  t.equal(left[0], young);
});

t.test("a scheduled run of one step does not count as the last run of the pipeline", async (t) => {
  const file = shop.write("only/p.yaml", {
    steps: { a: { command: ["true"] }, b: { command: ["true"], needs: ["a"] } },
  });
  const cron = (words: string[], env: Record<string, string> = {}) =>
    runMuster(["run", "--cron", file, "-i", "local", ...words], { env });
  t.equal((await cron([], { MUSTER_KILL_AT: "step-ended:1" })).code, null);
  t.equal((await cron(["--only", "a"])).code, 0);
  const [whole, part] = runsIn("only");
  const status = async (name: string) =>
    JSON.parse((await runMuster(["status", join(shop.folder, "only/runs", name), "--json"])).out);
  t.match(await status(whole!), { state: "interrupted" });
  t.match(await status(part!), { state: "complete", chunks: { done: 1 } });
});
