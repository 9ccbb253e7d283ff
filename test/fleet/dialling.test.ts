import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import t from "tap";
import { connect } from "../../fleet/connect.js";
import type { Connection } from "../../fleet/connection.js";
import { forEachNode } from "../../fleet/eachnode.js";
import { SshSettings } from "../../fleet/ssh/sshsettings.js";
import { lacking, startLab } from "../lab/lab.js";
import { makeKey } from "../lab/sshd.js";
import { createNode, toInventoryNode } from "./nodes.js";

const where = { node: "n", step: "ssh configuration" };
const echo = async (connection: Connection) => (await connection.exec(["echo", "hello"], { timeout: 60 })).stdout;

t.test("a refused port is dialled once, and reported", async (t) => {
  const sockets: Socket[] = [];
  const note = (message: unknown) => sockets.push((message as { socket: Socket }).socket);
  subscribe("net.client.socket", note);
  t.teardown(() => unsubscribe("net.client.socket", note));
  const identityFile = join(t.testdir(), "key");
  await makeKey(identityFile, "test");
  await t.rejects(connect(createNode({ host: "127.1.0.1", port: 9, identityFile })), {
    code: "UNREACHABLE",
    message: /the machine refuses connections at this port/,
  });
  t.equal(sockets.filter((socket) => socket.remoteAddress === undefined).length, 1);
});

t.test(
  "many nodes behind one jump host: never more log-ins at once than an sshd takes",
  { skip: lacking() },
  async (t) => {
    const lab = await startLab({ nodes: 2, gpus: 0 });
    t.teardown(() => lab.stop());
    const [gate, target] = [toInventoryNode(lab.nodes[0]!), toInventoryNode(lab.nodes[1]!)];
    const login = `IdentityFile ${gate.identityFile}\nUserKnownHostsFile ${lab.knownHosts}\n`;
    const jump = `Host gate\nHostName ${gate.host}\nPort ${gate.port}\nUser ${gate.user}\n${login}`;
    const folder = t.testdir({ config: `${jump}Host target*\nHostName ${target.host}\nProxyJump gate\n` });
    process.env.MUSTER_SSH_CONFIG = join(folder, "config");
    t.teardown(() => delete process.env.MUSTER_SSH_CONFIG);
    const behind = Array.from({ length: 40 }, (_, index) => ({
      ...target,
      name: `n${index}`,
      host: `target${index}`,
    }));
    const outcomes = await forEachNode(behind, echo);
    t.same(
      outcomes.map((outcome) => ("error" in outcome ? outcome.error.message : outcome.value)),
      behind.map(() => "hello\n"),
    );
    // With MaxStartups 10:30:100, an sshd says so when it drops one of more than ten that have not logged in.
    for (const node of lab.nodes) t.notMatch(node.sshdLog(), /MaxStartups|drop connection/);
  },
);

t.test("many nodes with one ProxyCommand: never more log-ins at once at its gate", { skip: lacking() }, async (t) => {
  const lab = await startLab({ nodes: 2, gpus: 0 });
  t.teardown(() => lab.stop());
  const target = toInventoryNode(lab.nodes[1]!);
  const words = lab.sshWords(lab.nodes[0]!).join(" ");
  const folder = t.testdir({ config: `Host target*\nHostName ${target.host}\nProxyCommand ssh ${words} -W %h:%p\n` });
  process.env.MUSTER_SSH_CONFIG = join(folder, "config");
  t.teardown(() => delete process.env.MUSTER_SSH_CONFIG);
  const behind = Array.from({ length: 24 }, (_, index) => ({ ...target, name: `n${index}`, host: `target${index}` }));
  const outcomes = await forEachNode(behind, echo);
  t.same(
    outcomes.map((outcome) => ("error" in outcome ? outcome.error.message : outcome.value)),
    behind.map(() => "hello\n"),
  );
  for (const node of lab.nodes) t.notMatch(node.sshdLog(), /MaxStartups|drop connection/);
});

t.test("nodes that do not answer delay no others", { skip: lacking("cutting nodes off") }, async (t) => {
  const lab = await startLab({ nodes: 2, gpus: 0 });
  t.teardown(() => lab.stop());
  const [silent, live] = lab.nodes;
  await silent!.cutOff();
  const nodes = [
    ...Array.from({ length: 80 }, (_, index) =>
      toInventoryNode(silent!, { name: `silent${index}`, port: 1000 + index }),
    ),
    toInventoryNode(live!),
  ];
  const ended: string[] = [];
  const outcomes = await forEachNode(nodes, echo, ({ node }) => ended.push(node.name));
  t.equal(ended[0], live!.name, "it was worked on before any of them was given up");
  t.match(outcomes.at(-1), { value: "hello\n" });
  t.equal(outcomes.filter((one) => "error" in one && one.error.code === "TIMEOUT").length, 80);
});

t.test("ssh is asked once for each name, however often it is dialled", async (t) => {
  const folder = t.testdir();
  const log = join(folder, "log");
  writeFileSync(log, "");
  const script = `#!/bin/sh
for word; do name=$word; done
echo "$name" >>${log}
case $name in
  hangs*) exec sleep 600 ;;
  wrong*) echo "no $name" >&2; exit 255 ;;
esac
echo "hostname $name.example"
echo "port 22"
`;
  writeFileSync(join(folder, "ssh"), script);
  chmodSync(join(folder, "ssh"), 0o755);
  const before = process.env.PATH;
  process.env.PATH = `${folder}:${before}`;
  t.teardown(() => {
    process.env.PATH = before;
  });
  const asked = () => readFileSync(log, "utf8").trimEnd().split("\n").sort();

  await t.test("the names of one turn of the event loop are resolved together", async (t) => {
    const settings = new SshSettings(undefined);
    const names = Array.from({ length: 100 }, (_, index) => `name${index}`);
    for (let round = 0; round < 3; round++) {
      const found = await Promise.all([...names, ...names].map((alias) => settings.resolve({ alias }, where)));
      t.same(
        found.map((one) => one.get("hostname")),
        [...names, ...names].map((name) => [`${name}.example`]),
      );
    }
    t.same(asked(), [...names].sort());
  });

  await t.test("a name at which ssh hangs or fails affects no other name, and is queried again", async (t) => {
    writeFileSync(log, "");
    const settings = new SshSettings(undefined, 3000);
    const names = ["a", "hangs1", "b", "wrong", "hangs2", "c"];
    const answers = names.map((alias) =>
      settings.resolve({ alias }, where).then(
        (found) => found.get("hostname")?.[0],
        (error) => error,
      ),
    );
    t.match(await Promise.all(answers), [
      "a.example",
      { code: "CONFIG", message: /no answer within 3 s/, next: "try: ssh -G hangs1" },
      "b.example",
      { code: "CONFIG", message: /no wrong/ },
      { code: "CONFIG", message: /no answer within 3 s/ },
      "c.example",
    ]);
    t.same(asked(), [...names].sort());
    await t.rejects(settings.resolve({ alias: "wrong" }, where), { code: "CONFIG" });
    await settings.resolve({ alias: "a" }, where);
    t.same(asked(), [...names, "wrong"].sort());
  });
});
