import { createHash, randomBytes } from "node:crypto";
import { appendFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { Connection } from "../../fleet/connection.js";
import { SshDialer } from "../../fleet/ssh/sshdialer.js";
import { timeoutsFor } from "../../fleet/ssh/timeouts.js";
import { lacking, startLab } from "../lab/lab.js";
import { DelayingProxy } from "../lab/proxy.js";
import { waitUntil } from "../lab/waituntil.js";
import { toInventoryNode } from "./nodes.js";

const skip = lacking();
const machines = lacking("cutting nodes off");
const short = { ...timeoutsFor({ silenceSeconds: 40 }), loginSeconds: 3, keepaliveSeconds: 0.3, stallSeconds: 1.5 };

async function echo(t: Test, connection: Connection, word = "hello"): Promise<void> {
  t.match(await connection.exec(["echo", word], { timeout: 30 }), { kind: "exit", code: 0, stdout: `${word}\n` });
}

t.test("every operation ends when its connection drops", { skip }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0 });
  t.teardown(() => lab.stop());
  const connection = await new SshDialer().connect(toInventoryNode(lab.nodes[0]!));
  const files = await connection.files();
  const agent = await connection.open(["sh", "-c", "echo up; sleep 600"]);
  agent.stderr.resume();
  agent.stdout.resume();
  const running = connection.exec(["sh", "-c", "echo begun; sleep 600"], { timeout: 60 });
  await echo(t, connection);
  await lab.nodes[0]!.dropConnections();
  t.match(await running, { kind: "lost", stdout: /^(begun\n)?$/ });
  t.match(await agent.ended, { kind: "lost" });
  t.type(await connection.closed, "string");
  await t.rejects(files.stat("/"), { code: "LOST", node: "node1", message: /look at \// });
  await t.rejects(connection.open(["true"]), { code: "LOST" });
  await t.rejects(connection.files(), { code: "LOST" });
  t.match(await connection.exec(["true"], { timeout: 5 }), { kind: "lost" });
  await connection.close();
  for (const left of lab.nodes[0]!.processes()) if (left.argv.includes("600")) process.kill(left.pid, "SIGKILL");
});

t.test(
  "what a download has copied stays when its connection drops, and the next one continues",
  { skip },
  async (t) => {
    const lab = await startLab({ nodes: 1, gpus: 0 });
    t.teardown(() => lab.stop());
    const [machine] = lab.nodes;
    const data = randomBytes(64 << 20);
    writeFileSync(join(machine!.root, "root/large"), data);
    const local = join(lab.folder, "large");
    const arrived = () => statSync(local, { throwIfNoEntry: false })?.size ?? 0;
    const proxy = await DelayingProxy.start(machine!, 20);
    t.teardown(() => proxy.stop());
    appendFileSync(lab.knownHosts, `[${proxy.host}]:${proxy.port} ${machine!.hostKey}\n`);
    const node = { ...toInventoryNode(machine!), host: proxy.host, port: proxy.port };
    const first = await new SshDialer().connect(node);
    const broken = (await first.files()).resumeDownload("/root/large", local, data.length).catch((error) => error);
    await waitUntil("a part is here", () => arrived() > 0);
    proxy.reset();
    t.match(await broken, { name: "ConnectionError", code: "LOST" });
    await first.close();
    const part = arrived();
    t.ok(part > 0 && part < data.length, `${part} bytes are kept`);
    const before = statSync(local).ino;
    const second = await new SshDialer().connect(node);
    t.teardown(() => second.close());
    const whole = await (await second.files()).resumeDownload("/root/large", local, data.length);
    t.same(whole, { size: data.length, sha256: createHash("sha256").update(data).digest("hex") });
    t.equal(statSync(local).ino, before);
  },
);

t.test("every operation ends when the node stops answering", { skip: machines }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0 });
  t.teardown(() => lab.stop());
  const [machine] = lab.nodes;
  const connection = await new SshDialer().connect(toInventoryNode(machine!), short);
  const files = await connection.files();
  writeFileSync(join(lab.folder, "big"), Buffer.alloc(200_000_000));
  const pending = [
    connection.exec(["sleep", "600"], { timeout: 600 }),
    files.upload(join(lab.folder, "big"), "/root/big", 0o600).catch((error) => error),
    files.stat("/").then(() => files.stat("/nowhere")),
  ];
  await pending[2];
  await machine!.cutOff();
  const begin = performance.now();
  const late = [files.stat("/root").catch((error) => error), connection.open(["true"]).catch((error) => error)];
  t.match(await connection.closed, /./);
  t.ok(performance.now() - begin < 5000, `keepalive notices: ${Math.round(performance.now() - begin)} ms`);
  t.match(await pending[0], { kind: "lost" });
  t.match(await pending[1], { name: "ConnectionError", code: /LOST|TIMEOUT/ });
  for (const error of late) t.match(await error, { code: "LOST" });
  t.ok(performance.now() - begin < 8000);
  const again = performance.now();
  await t.rejects(new SshDialer().connect(toInventoryNode(machine!), short), {
    code: "TIMEOUT",
    message: /connection timed out/,
  });
  t.ok(performance.now() - again < 6000);
  await connection.close();
  await machine!.heal();
  const back = await new SshDialer().connect(toInventoryNode(machine!), short);
  await echo(t, back);
  await back.close();
});
