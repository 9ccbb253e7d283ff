import { existsSync, lstatSync, readdirSync, readlinkSync, rmSync, statSync, symlinkSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import type { AttemptSpec } from "../../executor/run/agent/protocol.js";
import { waitUntil } from "../lab/waituntil.js";
import { AgentAttachment, attachAgent, coordinatorNonces, decodeInline } from "./agentdriver.js";
import { begun, Directory, gated } from "./nodedirectory.js";

t.setTimeout(600_000);

t.test("a program runs in the directory; its inputs lie in the attempt's own folder", async (t) => {
  const directory = new Directory(t);
  const { folder, attachment } = await attachAgent(t);
  const input = "an input";
  const files: AttemptSpec["files"] = [["data/in.txt", folder.stage(input), 0o644, input.length]];
  const out = join(folder.root, "a/first/work");
  const spec = directory.spec(["deep/own.txt", "results/x.json"], { files, plain: ["results/x.json"] });
  const script = `pwd; cat ${out}/data/in.txt; ls results; echo own > ${out}/deep/own.txt; echo new > results/x.json`;
  const done = await attachment.run("first", script, spec);
  t.match(done, { exit: 0, missing: [] }, done.error ?? done.tail);
  t.equal(decodeInline(done.stdout), `${directory.path}\n${input}`, "the old result is not there while it runs");
  t.same(
    done.outputs.map((one) => [one.path, decodeInline(one)]),
    [
      ["deep/own.txt", "own\n"],
      ["results/x.json", "new\n"],
    ],
  );
  t.equal(directory.read("results/x.json"), "old", "it is back");
  t.notOk(directory.has("data"), "nothing is staged there");
  attachment.send({ op: "ack", ids: ["first"] });
  await waitUntil("the attempt is deleted", () => folder.listAttempts().length === 0);
});

t.test("an old file is never taken for a result, however the attempt ends", async (t) => {
  const directory = new Directory(t);
  const { attachment } = await attachAgent(t);
  const spec = directory.spec(["results/x.json", "results/fresh"]);
  const silent = await attachment.run("silent", "true", spec);
  t.same(silent.missing, ["results/x.json", "results/fresh"]);
  const write = "echo half > results/x.json; echo half > results/fresh";
  for (const [id, script, others, expected] of [
    ["failed", `${write}; exit 7`, {}, { exit: 7 }],
    ["timed-out", `${write}; sleep 100`, { timeout: 0.5 }, { timeout: true }],
    ["missing", "true", { argv: ["./no-such-program"] }, { exit: null, error: /no-such-program/ }],
    ["killed", `${write}; kill -9 $$`, {}, { signal: 9 }],
  ] as const) {
    t.match(
      await attachment.run(id, script, {
        ...spec,
        ...others,
        argv: [...("argv" in others ? others.argv : ["sh", "-c"])],
      }),
      expected,
    );
    t.equal(directory.read("results/x.json"), "old", id);
    t.same(directory.list(), ["x.json"], `${id}: what it left is gone`);
  }
  attachment.start("cancelled", spec, [`${write}; ${gated(directory, "true")}`]);
  await begun(directory);
  t.equal(directory.read("results/x.json"), "half\n");
  attachment.send({ op: "cancel", ids: ["cancelled"] });
  t.match(await attachment.waitForDone("cancelled"), { cancelled: true });
  t.equal(directory.read("results/x.json"), "old");
  t.same(directory.list(), ["x.json"]);
});

/** A folder on another file system than the run's; undefined = there is none. */
const otherFileSystem =
  existsSync("/dev/shm") && statSync("/dev/shm").dev !== statSync(tmpdir()).dev ? "/dev/shm" : undefined;
const skip = otherFileSystem === undefined && "there is one file system only";

t.test("large outputs and old files move between file systems and keep times and modes", { skip }, async (t) => {
  const directory = new Directory(t, otherFileSystem);
  const { folder, attachment } = await attachAgent(t);
  const old = directory.write("big.bin", Buffer.alloc(3 << 20, "o"));
  utimesSync(old, 1_000_000, 1_000_000);
  symlinkSync("nowhere", join(directory.path, "link"));
  const done = await attachment.run(
    "big",
    "head -c 5000000 /dev/zero > big.bin; echo new > link",
    directory.spec(["big.bin", "link"]),
  );
  t.match(done, { exit: 0, missing: [] }, done.error ?? done.tail);
  t.equal(statSync(join(folder.root, "a/big/work/big.bin")).size, 5_000_000, "the new one waits to be pulled");
  const { size, mtimeMs } = statSync(old);
  t.same([size, mtimeMs], [3 << 20, 1_000_000_000]);
  t.equal(readlinkSync(join(directory.path, "link")), "nowhere");
  t.same(directory.list("."), ["big.bin", "link", "results"]);
});

t.test("links are not followed: a link that is an output is set aside itself", async (t) => {
  const directory = new Directory(t);
  const elsewhere = new Directory(t);
  const { attachment } = await attachAgent(t);
  symlinkSync(join(elsewhere.path, "results/x.json"), join(directory.path, "link.json"));
  symlinkSync(join(elsewhere.path, "results"), join(directory.path, "linked"));
  const done = await attachment.run("link", "echo new > link.json", directory.spec(["link.json"]));
  t.equal(decodeInline(done.outputs[0]), "new\n");
  t.ok(lstatSync(join(directory.path, "link.json")).isSymbolicLink());
  t.equal(elsewhere.read("results/x.json"), "old");
  const through = await attachment.run(
    "through",
    "echo new > linked/x.json",
    directory.spec(["results/x.json", "linked/x.json"]),
  );
  t.match(through, { exit: null, error: /links are not followed there \(.*linked\/x.json\)/ });
  t.equal(directory.read("results/x.json"), "old", "nothing is lost");
  const folder = await attachment.run("folder", "true", directory.spec(["results/x.json", "results"]));
  t.match(folder, { exit: null, error: /neither a file nor a link/ });
  const swapped = await attachment.run(
    "swapped",
    `rm -r results; ln -s ${elsewhere.path}/results results; echo new > results/x.json`,
    directory.spec(["results/x.json"]),
  );
  t.same(
    swapped.missing,
    ["results/x.json (results is a link, not a folder)"],
    "what it wrote through a link is no result",
  );
  t.equal(elsewhere.read("results/x.json"), "new\n");
  const problem = await attachment.waitFor((one) => one.ev === "problem");
  t.match(problem, { message: /results\/x.json could not be put back: .*It lies in .*\/a\/swapped\/aside\/0/ });
  rmSync(join(directory.path, "results"));
});

t.test("attempts that write one file run one after another, across runs and names of the directory", async (t) => {
  const directory = new Directory(t);
  const alias = `${directory.path}-alias`;
  symlinkSync(directory.path, alias);
  t.teardown(() => rmSync(alias));
  const slots = [0, 1].map((slot) => ({ slot, env: {} }));
  const { attachment } = await attachAgent(t, { slots });
  const { attachment: other } = await attachAgent(t, { slots });
  const script =
    'if [ -e busy ]; then exit 9; fi; : > busy; sleep 0.2; echo "$MUSTER_ATTEMPT" > results/x.json; rm busy';
  const spec = directory.spec(["results/x.json", "results/y.json"]);
  const fill = `echo > results/y.json; ${script}`;
  attachment.start("a0", spec, [fill], 0);
  attachment.start("a1", directory.spec(["results/x.json"]), [script], 1);
  other.start("b0", { ...spec, directory: alias }, [fill], 0);
  other.start("b1", directory.spec(["results/y.json", "results/x.json"], { directory: alias }), [fill], 1);
  for (const [agent, id] of [
    [attachment, "a0"],
    [attachment, "a1"],
    [other, "b0"],
    [other, "b1"],
  ] as const) {
    const done = await agent.waitForDone(id);
    t.match(done, { exit: 0, missing: [] }, `${id}: ${done.error ?? done.tail}`);
    t.equal(decodeInline(done.outputs.find(({ path }) => path === "results/x.json")), `${id}\n`);
  }
  t.equal(directory.read("results/x.json"), "old");
  const locks = process.env.MUSTER_LOCK_FOLDER ?? `/var/tmp/muster-${process.geteuid!()}`;
  t.same(
    existsSync(locks) ? readdirSync(locks).filter((name) => name.startsWith("path-")) : [],
    [],
    "no lock file is left",
  );
});

t.test("an attempt that waits for a lock can be cancelled, and holds up neither others nor the agent", async (t) => {
  const directory = new Directory(t);
  const slots = [0, 1].map((slot) => ({ slot, env: {} }));
  const { attachment } = await attachAgent(t, { slots });
  attachment.start("first", directory.spec(["results/x.json"]), [gated(directory, "echo new > results/x.json")], 0);
  await begun(directory);
  attachment.start("waits", directory.spec(["results/x.json"]), ["echo other > results/x.json"], 1);
  await attachment.waitFor(
    (one) =>
      one.ev === "problem" && /chunk-waits waits: another attempt on this node writes .*x.json/.test(one.message),
  );
  attachment.send({ op: "ping" });
  await attachment.waitFor((one) => one.ev === "pong");
  attachment.send({ op: "cancel", ids: ["waits"] });
  t.match(await attachment.waitForDone("waits"), { cancelled: true, exit: null });
  attachment.start(
    "kept",
    directory.spec(["results/x.json"]),
    ["cp results/x.json seen; echo kept > results/x.json"],
    1,
  );
  directory.write("gate", "");
  t.equal(decodeInline((await attachment.waitForDone("first")).outputs[0]), "new\n");
  t.match(await attachment.waitForDone("kept"), { exit: 0, missing: [] });
  t.equal(directory.read("results/x.json"), "old");
});

t.test("a run that waits for a file leaves its slot to the run that has the file", async (t) => {
  const directory = new Directory(t);
  const slots = [{ slot: 0, env: {}, lock: "cpu-7" }];
  const { attachment } = await attachAgent(t, { slots: [{ slot: 0, env: {} }], max: 1 });
  const { attachment: waiting } = await attachAgent(t, { slots });
  const { attachment: third } = await attachAgent(t, { slots });
  attachment.start("first", directory.spec(["results/x.json"]), [gated(directory, "echo new > results/x.json")]);
  await begun(directory);
  waiting.start("waits", directory.spec(["results/x.json"]), ["echo other > results/x.json"]);
  await waiting.waitFor((one) => one.ev === "problem" && /another attempt on this node writes/.test(one.message));
  t.match(await third.run("third", "true", directory.spec([])), { exit: 0 }, "the slot is free meanwhile");
  directory.write("gate", "");
  t.match(await attachment.waitForDone("first"), { exit: 0, missing: [] });
  t.match(await waiting.waitForDone("waits"), { exit: 0, missing: [] });
  t.equal(directory.read("results/x.json"), "old");
});

t.test("many attempts, queued on few slots, with failures among them", async (t) => {
  const directory = new Directory(t);
  const slots = [0, 1, 2].map((slot) => ({ slot, env: {} }));
  const { attachment, folder } = await attachAgent(t, { slots });
  const ids = Array.from({ length: 60 }, (_, index) => `many${index}`);
  for (const [index, id] of ids.entries())
    attachment.start(
      id,
      directory.spec([`results/${index % 7}`], index % 5 ? {} : { argv: ["./none"] }),
      [`echo ${id} > results/${index % 7}`],
      index % 3,
    );
  for (const [index, id] of ids.entries()) {
    const done = await attachment.waitForDone(id);
    if (index % 5) t.equal(decodeInline(done.outputs[0]), `${id}\n`);
    else t.match(done, { exit: null, error: /none could not be started/ });
  }
  attachment.send({ op: "ack", ids });
  await waitUntil("all are deleted", () => folder.listAttempts().length === 0);
  t.same(directory.list(), ["x.json"]);
});

t.test("the hash of a program is reported to each coordinator, and again when the file changes", async (t) => {
  const directory = new Directory(t);
  const { folder, attachment } = await attachAgent(t);
  directory.write("pkg/worker.py", "print(1)\n");
  const spec = directory.spec([], { argv: ["python3", "-m", "pkg.worker"], watch: ["pkg.py", "pkg/worker.py"] });
  const isProgram = (one: { ev: string }) => one.ev === "program";
  await attachment.run("one", "", spec);
  const first = await attachment.waitFor(isProgram);
  t.match(first, { path: "pkg/worker.py", sha256: /^[0-9a-f]{64}$/ });
  await attachment.run("two", "", spec);
  t.equal(attachment.messages.filter(isProgram).length, 1);
  directory.write("pkg/worker.py", "print(1, 2)\n");
  await attachment.run("three", "", spec);
  const changed = await attachment.waitFor(isProgram);
  t.not("sha256" in changed && changed.sha256, "sha256" in first && first.sha256);
  const next = new AgentAttachment(folder);
  await next.open(coordinatorNonces(2));
  await next.run("four", "", spec);
  t.same(await next.waitFor(isProgram), changed);
});

t.test("a directory that has gone fails the attempt, with its name", async (t) => {
  const directory = new Directory(t);
  const { attachment } = await attachAgent(t);
  const done = await attachment.run("gone", "true", directory.spec(["x"], { directory: `${directory.path}/none` }));
  t.match(done, { exit: null, error: /the directory .*\/none could not be entered: No such file or directory/ });
});
