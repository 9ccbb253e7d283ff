import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { Connection } from "../../fleet/connection.js";
import { SshDialer } from "../../fleet/ssh/sshdialer.js";
import { lacking, startLab } from "../lab/lab.js";
import { toInventoryNode } from "./nodes.js";

const skip = lacking();

async function echo(t: Test, connection: Connection, word = "hello"): Promise<void> {
  t.match(await connection.exec(["echo", word], { timeout: 30 }), { kind: "exit", code: 0, stdout: `${word}\n` });
}

t.test("a server that allows one session on a connection", { skip }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0, sshd: { MaxSessions: 1 } });
  t.teardown(() => lab.stop());
  const connection = await new SshDialer().connect(toInventoryNode(lab.nodes[0]!));
  t.teardown(() => connection.close());
  const agent = await connection.open(["cat"]);
  agent.stderr.resume();
  const files = await connection.files();
  t.ok(await files.home());
  const begin = performance.now();
  const words = ["a", "b", "c", "d", "e"];
  const outcomes = await Promise.all(words.map((word) => connection.exec(["echo", word], { timeout: 30 })));
  t.same(
    outcomes.map(({ stdout }) => stdout.trim()),
    words,
    "programs wait for each other",
  );
  t.ok(performance.now() - begin < 30_000);
  t.match(await files.stat("/"), { kind: "folder" }, "beside the file channel");
  agent.stdin.end("still here");
  t.equal((await agent.stdout.setEncoding("utf8").toArray()).join(""), "still here");
  t.same(await agent.ended, { kind: "exit", code: 0 });
});

t.test("more programs run at once than a connection has channels", { skip }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0 });
  t.teardown(() => lab.stop());
  const connection = await new SshDialer().connect(toInventoryNode(lab.nodes[0]!));
  t.teardown(() => connection.close());
  await connection.files();
  const outcomes = await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      connection.exec(["sh", "-c", `sleep 0.2; echo ${index}`], { timeout: 60 }),
    ),
  );
  t.same(
    outcomes.map(({ stdout }) => Number(stdout)),
    outcomes.map((_, index) => index),
  );
});

t.test("a connection that a busy server drops before login is retried", { skip }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0, sshd: { MaxStartups: "1:100:1" } });
  t.teardown(() => lab.stop());
  const node = toInventoryNode(lab.nodes[0]!);
  const dials = await Promise.allSettled(Array.from({ length: 6 }, () => new SshDialer().connect(node)));
  t.same(
    dials.map((dial) => (dial.status === "rejected" ? dial.reason : "fine")),
    dials.map(() => "fine"),
  );
  for (const dial of dials) if (dial.status === "fulfilled") await dial.value.close();
});

t.test("a transfer survives an SSH rekey", { skip }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0, sshd: { RekeyLimit: "4M" } });
  t.teardown(() => lab.stop());
  const connection = await new SshDialer().connect(toInventoryNode(lab.nodes[0]!));
  t.teardown(() => connection.close());
  const files = await connection.files();
  const remote = `${await files.home()}/muster-rekey-test`;
  writeFileSync(join(lab.folder, "data"), randomBytes(32 * 1024 * 1024));
  await files.upload(join(lab.folder, "data"), remote, 0o600);
  const { sha256 } = await files.download(remote, join(lab.folder, "back"), 32 * 1024 * 1024);
  const there = await connection.exec(["sha256sum", remote], { timeout: 60 });
  t.equal(there.stdout.slice(0, 64), sha256);
  await connection.exec(["rm", remote], { timeout: 30 });
});

t.test("a server without SFTP is reported", { skip }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0, sshd: { Subsystem: "sftp /bin/false" } });
  t.teardown(() => lab.stop());
  const connection = await new SshDialer().connect(toInventoryNode(lab.nodes[0]!));
  t.teardown(() => connection.close());
  await t.rejects(connection.files(), { code: "SHELL", step: "open SFTP", next: /Subsystem sftp/ });
  await echo(t, connection);
});

t.test("transfers work through jump hosts", { skip }, async (t) => {
  const lab = await startLab({ nodes: 3, gpus: 0 });
  t.teardown(() => lab.stop());
  const [target, ...gates] = lab.nodes.map((node) => toInventoryNode(node));
  const jumpConfig = (name: string, extra = "") => {
    const login = `IdentityFile ${target!.identityFile}\nUserKnownHostsFile ${lab.knownHosts}\n`;
    const hosts = gates.map(
      (gate, index) => `Host gate${index}\nHostName ${gate.host}\nPort ${gate.port}\nUser ${gate.user}\n${login}`,
    );
    writeFileSync(join(lab.folder, name), `${hosts.join("")}${extra}Host ${target!.host}\nProxyJump gate0,gate1\n`);
    process.env.MUSTER_SSH_CONFIG = join(lab.folder, name);
  };
  t.teardown(() => delete process.env.MUSTER_SSH_CONFIG);

  jumpConfig("config");
  const connection = await new SshDialer().connect(target!);
  const seen = await connection.exec(["sh", "-c", "echo $SSH_CONNECTION"], { timeout: 30 });
  t.match(seen, { code: 0 });
  if (lab.kind === "machines")
    t.ok(
      lab.nodes.slice(1).every((gate) => gate.processes().length > 0),
      "both are passed",
    );
  const files = await connection.files();
  writeFileSync(join(lab.folder, "data"), Buffer.alloc(3_000_000, 7));
  await files.upload(join(lab.folder, "data"), `${await files.home()}/muster-jump-test`, 0o600);
  t.match(await files.stat(`${await files.home()}/muster-jump-test`), { size: 3_000_000 });
  await connection.exec(["rm", `${await files.home()}/muster-jump-test`], { timeout: 30 });
  await connection.close();
  if (lab.kind === "machines") t.same(await lab.nodes[1]!.quiet(20), [], "nothing of it is left on the way");

  await t.rejects(new SshDialer().connect({ ...target!, port: 1 }), {
    code: "UNREACHABLE",
    message: /connect to .*:1: the jump host/,
  });
  jumpConfig("strange", "Host *\nUserKnownHostsFile none\n");
  writeFileSync(join(lab.folder, "none"), "");
  await t.rejects(
    new SshDialer().connect({ ...target!, knownHosts: join(lab.folder, "none") }),
    { code: "HOST_KEY_UNKNOWN" },
    "the last hop",
  );
  writeFileSync(
    process.env.MUSTER_SSH_CONFIG!,
    `Host gate0\nHostName ${gates[0]!.host}\nPort ${gates[0]!.port}\nUserKnownHostsFile ${lab.folder}/none\nIdentityFile ${target!.identityFile}\nHost ${target!.host}\nProxyJump gate0\n`,
  );
  await t.rejects(
    new SshDialer().connect(target!),
    { code: "HOST_KEY_UNKNOWN", message: /jump host/ },
    "every hop is verified",
  );
});
