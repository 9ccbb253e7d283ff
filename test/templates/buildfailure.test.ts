import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { waitUntil } from "../lab/waituntil.js";
import { coordinatorNonces, findProcesses } from "./agentdriver.js";
import { BuildAttachment, BuildNode } from "./builddriver.js";

t.setTimeout(600_000);

const FAILURES: [what: string, script: string, error: RegExp, outputs?: string[]][] = [
  ["an exit code", "echo why >&2; exit 7", /^exit code 7$/],
  ["a signal", "kill -9 $$", /^killed by signal 9$/],
  ["no output", "true", /^it ended well, but made no file f$/],
  ["an empty folder", "mkdir f", /^it ended well, but made no file f$/],
  ["a glob that matches nothing", "true", /made no file \*\.so$/, ["*.so"]],
  ["a link out of the project", "ln -s /etc/passwd f", /^f is a link out of the project, to \/etc\/passwd/],
  ["a relative link out of it", "mkdir d; ln -s ../../x d/f", /^d\/f is a link out of the project/, ["d"]],
  ["a folder that is a link", "ln -s /etc d", /^d\/passwd lies behind a link/, ["d/passwd"]],
  ["a pipe", "mkfifo f", /^f is neither a file, a folder nor a link$/],
  ["a pipe in a folder", "mkdir f; mkfifo f/p", /^f\/p is neither/],
  ["too much", "truncate -s 1100M f", /^its outputs have more than 1024 MiB/],
  ["too many files", "mkdir f; cd f; seq 20001 | xargs touch", /^its outputs are more than 20000 files/],
];

t.test("why a build failed is reported; nothing of it stays, and the next one works", async (t) => {
  const node = new BuildNode(t);
  const attachment = await node.attach();
  const { root } = attachment.folder;
  for (const [what, script, error, outputs = ["f"]] of FAILURES) {
    const built = await attachment.build(script, outputs);
    t.match(built, { error, cached: false }, what);
    t.equal(built.key, undefined, what);
  }
  const missing = await attachment.build("", ["f"], { argv: ["no-such-make"], env: { PATH: "/bin" } });
  t.match(missing.error, /^it could not be started: no such program in PATH=/);
  const [loud] = [
    await attachment.build("echo first; head -c 100000000 /dev/zero | tr '\\0' x; echo; echo last; exit 1", ["f"]),
  ];
  t.match(loud, { error: "exit code 1", tail: /last\n$/ });
  t.ok(loud.log! <= 1 << 20, "the log is cut");
  t.match(readFileSync(join(root, "build.log"), "latin1").slice(0, 6), "first\n");
  t.match(await attachment.build("echo x > f", ["f"]), { key: /./ });
  await waitUntil("the working copy is gone", () => !existsSync(join(root, "w", "build")));
});

t.test("a build that hangs is ended, though it ignores SIGTERM, and so is what it leaves behind", async (t) => {
  const node = new BuildNode(t);
  const attachment = await node.attach();
  const mark = `MARK=${node.workdir}`;
  const script = "trap '' TERM; setsid sleep 1000 & echo begun; sleep 1000; sleep 1000";
  const hung = await attachment.build(script, ["f"], { timeout: 0.5, env: { MARK: node.workdir } });
  t.match(hung, { error: "still running after its timeout of 0.5 s", tail: "begun\n" });
  t.same(findProcesses(mark), []);
  const daemons = "(setsid env -i sleep 1000.5 &) ; (setsid sleep 1000 &) ; echo x > f";
  t.match(await attachment.build(daemons, ["f"], { env: { MARK: node.workdir } }), { key: /./ });
  t.same([...findProcesses(mark), ...findProcesses("1000.5")], []);
});

t.test("stop ends a build", async (t) => {
  const node = new BuildNode(t);
  const attachment = await node.attach();
  attachment.sendBuild(`${node.note}; setsid sleep 1000 & sleep 1000`, ["f"], { env: { MARK: node.workdir } });
  await waitUntil("it builds", () => node.count() === 1);
  await attachment.stop();
  t.same(findProcesses(`MARK=${node.workdir}`), []);
  t.notOk(existsSync(attachment.folder.root));
  t.match(await (await node.attach("r2")).build("echo x > f", ["f"]), { key: /./ });
});

t.test("the lease ends a build", async (t) => {
  const node = new BuildNode(t);
  const attachment = await node.attach("r1", { lease: 1 });
  attachment.sendBuild(`${node.note}; sleep 1000`, ["f"], { env: { MARK: node.workdir } });
  await waitUntil("it builds", () => node.count() === 1);
  await attachment.disconnect();
  await waitUntil("the folder is gone", () => !existsSync(attachment.folder.root), 20);
  t.same(findProcesses(`MARK=${node.workdir}`), []);
});

t.test("a coordinator that attaches during a build gets the answer; a different request replaces it", async (t) => {
  const node = new BuildNode(t);
  const first = await node.attach();
  const script = `${node.note}; while [ ! -e ${node.workdir}/go ]; do sleep 0.1; done; echo x > f`;
  const id = first.sendBuild(script, ["f"]);
  await waitUntil("it builds", () => node.count() === 1);
  await first.disconnect();
  const second = new BuildAttachment(first.folder);
  await second.open(coordinatorNonces(2));
  t.equal(second.sendBuild(script, ["f"]), id);
  second.send({ op: "ping" });
  await second.waitFor(({ ev }) => ev === "pong");
  writeFileSync(join(node.workdir, "go"), "");
  t.match(await second.waitForBuilt(id), { cached: false, key: /./ });
  t.equal(node.count(), 1);

  const endless = second.sendBuild(`${node.note}; sleep 1000`, ["f"], { env: { MARK: node.workdir } });
  await waitUntil("it builds", () => node.count() === 2);
  const other = await second.build("echo other > f", ["f"]);
  t.match(other, { cached: false, key: /./ });
  t.notOk(second.messages.some((one) => one.ev === "built" && one.id === endless));
  t.same(findProcesses(`MARK=${node.workdir}`), []);
});

t.test("the agent is killed during a build: its successor ends that one, and builds", async (t) => {
  const node = new BuildNode(t);
  const first = await node.attach();
  const hello = first.messages.find((one) => one.ev === "hello");
  first.sendBuild(`${node.note}; setsid sleep 1000 & sleep 1000`, ["f"], { env: { MARK: node.workdir } });
  await waitUntil("it builds", () => node.count() === 1);
  process.kill(hello!.pid, "SIGKILL");
  await first.waitForExit();
  t.not(findProcesses(`MARK=${node.workdir}`).length, 0, "it continues without its agent");
  const second = new BuildAttachment(first.folder);
  await second.open(coordinatorNonces(2));
  t.same(findProcesses(`MARK=${node.workdir}`), []);
  t.match(await second.build(`${node.note}; echo x > f`, ["f"]), { cached: false, key: /./ });
  t.ok(statSync(join(node.workdir, "cache", "builds")).isDirectory());
});

t.test("a cache that others could change is not used", async (t) => {
  const node = new BuildNode(t);
  const builds = join(node.workdir, "cache", "builds");
  mkdirSync(builds, { recursive: true });
  chmodSync(builds, 0o777);
  const attachment = await node.attach();
  const built = await attachment.build("echo x > f", ["f"]);
  t.match(built.error, /^the cache of builds cannot be used: .*cache\/builds is writable by everyone: run `chmod o-w /);
});
