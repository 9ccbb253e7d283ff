import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PassThrough } from "node:stream";
import t from "tap";
import { connect } from "../../../fleet/connect.js";
import { connectLocal } from "../../../fleet/local/localconnection.js";
import { connectRelay } from "../../../fleet/relay/relayconnection.js";
import { relayProgram } from "../../../templates/nodeprograms.js";
import { lacking, startLab } from "../../lab/lab.js";
import { waitUntil } from "../../lab/waituntil.js";
import { createNode, toInventoryNode } from "../nodes.js";
import { FakeRelay } from "./fakerelay.js";
import { relayPid, startRelay } from "./startrelay.js";

for (const signal of ["SIGKILL", "SIGHUP"] as const)
  t.test(`every operation ends when the relay is ended by ${signal}`, async (t) => {
    const folder = t.testdir();
    writeFileSync(join(folder, "local"), Buffer.alloc(400_000_000));
    const { connection } = await startRelay();
    const files = await connection.files();
    const agent = await connection.open(["cat"]);
    const pidFile = join(folder, "pid");
    const script = "echo begun; echo $$ >$0.tmp; mv $0.tmp $0; exec sleep 600";
    const running = connection.exec(["sh", "-c", script, pidFile], { timeout: 60 });
    await waitUntil("it runs", () => existsSync(pidFile));
    const sleeper = Number(readFileSync(pidFile, "utf8"));
    t.teardown(() => process.kill(sleeper, "SIGKILL"));
    const pid = await relayPid(connection);
    const uploading = files.upload(join(folder, "local"), join(folder, "remote"), 0o600).catch((error) => error);
    await files.stat("/");
    process.kill(pid, signal);
    const begin = performance.now();
    t.match(await connection.closed, new RegExp(`the relay was killed by ${signal}`));
    t.match(await running, { kind: "lost", stdout: "begun\n" });
    t.match(await agent.ended, { kind: "lost" });
    t.match(await uploading, { name: "ConnectionError", code: "LOST", node: "n" });
    await t.rejects(files.stat("/"), { code: "LOST", message: /look at \// });
    await t.rejects(connection.open(["true"]), { code: "LOST" });
    await t.rejects(connection.files(), { code: "LOST" });
    t.match(await connection.exec(["true"], { timeout: 5 }), { kind: "lost" });
    t.ok(performance.now() - begin < 30_000, `${Math.round(performance.now() - begin)} ms`);
    await connection.close();
  });

t.test("what is printed to stderr can arrive after the end of the program", async (t) => {
  const relay = new FakeRelay();
  const connecting = connectRelay(relay.channel, createNode());
  relay.end({ kind: "exit", code: 1 });
  setTimeout(() => (relay.channel.stderr as PassThrough).end("srun: error: Invalid job id specified\n"), 20);
  await t.rejects(connecting, { code: "SHELL", message: /exit code 1: srun: error: Invalid job id specified/ });
});

t.test("SIGTERM does not end the relay: it is sent to allocations whose results are still to be read", async (t) => {
  const { connection } = await startRelay();
  t.teardown(() => connection.close());
  process.kill(await relayPid(connection), "SIGTERM");
  t.match(await connection.exec(["echo", "alive"], { timeout: 20 }), { code: 0, stdout: "alive\n" });
});

t.test(
  "every operation ends when the connection to the login node drops, and then the relay does",
  { skip: lacking() },
  async (t) => {
    const lab = await startLab({ nodes: 1, gpus: 0 });
    t.teardown(() => lab.stop());
    const login = await connect(toInventoryNode(lab.nodes[0]!));
    const channel = await login.open(["python3", ...relayProgram().args]);
    const connection = await connectRelay(channel, createNode({ name: "lab/17" }), { hostKey: login.hostKey ?? "" });
    t.match(connection.hostKey, /SHA256:/);
    const pending = connection.exec(["sh", "-c", "echo begun; cat"], { timeout: 60, stdin: "x" });
    const agent = await connection.open(["cat"]);
    t.match(await pending, { kind: "exit", stdout: "begun\nx" });
    await lab.nodes[0]!.dropConnections();
    t.match(await agent.ended, { kind: "lost" });
    t.type(await connection.closed, "string");
    await t.rejects(connection.open(["true"]), { code: "LOST", node: "lab/17" });
    await connection.close();
    await login.close();
    await waitUntil(
      "relay and cat have ended",
      () => !lab.nodes[0]!.processes().some(({ argv }) => argv.includes("relay") || argv[0] === "cat"),
      10,
    );
  },
);

t.test("a relay that does not answer any more is lost", async (t) => {
  const { connection, channel } = await startRelay({ keepaliveSeconds: 1 });
  const pid = await relayPid(connection);
  await new Promise((resolve) => setTimeout(resolve, 4000));
  t.match(await connection.exec(["echo", "hello"], { timeout: 5 }), { stdout: "hello\n" }, "one that is idle is not");
  process.kill(pid, "SIGSTOP");
  t.teardown(() => process.kill(pid, "SIGKILL"));
  const pending = (await connection.files()).stat("/").catch((error) => error);
  t.match(await connection.closed, /no answer for 3.0 s/);
  t.match(await pending, { code: "LOST" });
  t.match(await channel.ended, { kind: "lost" });
});

t.test("what srun or a shell prints in place of the relay is reported", async (t) => {
  const local = await connectLocal(createNode({ connection: "local" }));
  const start = async (script: string, startSeconds = 20) =>
    connectRelay(await local.open(["sh", "-c", script]), createNode({ name: "lab/17" }), { startSeconds });
  await t.rejects(start("echo loading; echo 'srun: error: Job 17 has expired' >&2; exit 1"), {
    code: "SHELL",
    node: "lab/17",
    message: /start the relay: the relay ended with exit code 1: loading srun: error: Job 17 has expired/,
  });
  await t.rejects(start("kill -KILL $$"), { code: "SHELL", message: /killed by SIGKILL/ });
  await t.rejects(start("echo please wait >&2; exec cat >/dev/null", 0.5), {
    code: "TIMEOUT",
    message: /did not start within 0.5 s: please wait/,
  });
  await t.rejects(start("yes | head -c 100000; exec cat >/dev/null"), {
    code: "SHELL",
    message: /64 KiB precede/,
  });
  await local.close();
  const relay = new FakeRelay();
  const lost = connectRelay(relay.channel, createNode());
  relay.end({ kind: "lost", reason: "the login node was turned off" });
  await t.rejects(lost, { code: "LOST", message: /start the relay: the login node was turned off/ });
});
