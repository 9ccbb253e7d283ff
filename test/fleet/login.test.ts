import { execFile, execFileSync } from "node:child_process";
import { appendFileSync, copyFileSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { connect } from "../../fleet/connect.js";
import type { ConnectionError } from "../../fleet/connectionerror.js";
import { forEachNode } from "../../fleet/eachnode.js";
import type { Node } from "../../fleet/node.js";
import { lacking, startLab } from "../lab/lab.js";
import { findProgram } from "../lab/requirements.js";
import { createNode, toInventoryNode } from "./nodes.js";

const run = promisify(execFile);
const skip = lacking("other keys on the nodes");

async function fine(node: Node): Promise<boolean> {
  const connection = await connect(node);
  const outcome = await connection.exec(["true"], { timeout: 20 });
  await connection.close();
  return outcome.kind === "exit" && outcome.code === 0;
}

t.test("keys log in", { skip }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0 });
  t.teardown(() => lab.stop());
  const machine = lab.nodes[0]!;
  const folder = t.testdir();
  const sock = process.env.SSH_AUTH_SOCK;
  delete process.env.SSH_AUTH_SOCK;
  t.teardown(() => {
    if (sock !== undefined) process.env.SSH_AUTH_SOCK = sock;
  });
  const keygen = (name: string, ...words: string[]) => {
    execFileSync("ssh-keygen", ["-q", "-N", "", "-f", join(folder, name), ...words]);
    return join(folder, name);
  };
  const allow = (file: string) =>
    appendFileSync(join(machine.root, "etc/ssh/authorized_keys"), readFileSync(`${file}.pub`, "utf8"));

  t.test("files of each type", async (t) => {
    for (const [name, ...words] of [
      ["ed25519", "-t", "ed25519"],
      ["ecdsa", "-t", "ecdsa", "-b", "384"],
      ["rsa", "-t", "rsa", "-b", "2048"],
      ["rsa-pem", "-t", "rsa", "-b", "2048", "-m", "PEM"],
    ] as const) {
      const identityFile = keygen(name, ...words);
      allow(identityFile);
      t.ok(await fine(toInventoryNode(machine, { identityFile })), name);
    }
  });

  t.test("an unusable key is reported with the reason and the next action", async (t) => {
    const encrypted = join(folder, "encrypted");
    execFileSync("ssh-keygen", ["-q", "-N", "secret", "-t", "ed25519", "-f", encrypted]);
    const pkcs8 = keygen("pkcs8", "-t", "rsa", "-b", "2048", "-m", "PKCS8");
    const cases = [
      [join(folder, "absent"), { code: "AUTH", message: /no key file .*absent/, next: /identity_file/ }],
      [encrypted, { code: "UNSUPPORTED_KEY", message: /encrypted/, next: /ssh-add/ }],
      [pkcs8, { code: "UNSUPPORTED_KEY", message: /PKCS#8/, next: `convert it in place: ssh-keygen -p -f ${pkcs8}` }],
      [`${encrypted}.pub`, { code: "UNSUPPORTED_KEY", message: /public key/ }],
      [machine.knownHosts, { code: "UNSUPPORTED_KEY" }],
    ] as const;
    for (const [identityFile, error] of cases)
      await t.rejects(connect(toInventoryNode(machine, { identityFile })), error, identityFile);
  });

  t.test("a key that the node does not know is tried once", async (t) => {
    const identityFile = keygen("stranger", "-t", "ed25519");
    const before = machine.sshdLog().length;
    await t.rejects(connect(toInventoryNode(machine, { identityFile })), {
      code: "AUTH",
      message: /stranger/,
      next: /authorized_keys/,
    });
    await t.rejects(connect(toInventoryNode(machine, { user: "no-such-user" })), { code: "AUTH" });
    t.equal(
      machine
        .sshdLog()
        .slice(before)
        .match(/stranger/g),
      null,
    );
  });

  t.test(
    "keys of an ssh agent are used",
    { skip: findProgram("ssh-agent") === undefined && "needs ssh-agent" },
    async (t) => {
      const socket = join(lab.folder, "agent");
      const { stdout } = await run("ssh-agent", ["-a", socket]);
      const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(stdout)?.[1]);
      process.env.SSH_AUTH_SOCK = socket;
      t.teardown(() => {
        delete process.env.SSH_AUTH_SOCK;
        process.kill(pid);
      });
      const add = (file: string) => run("ssh-add", ["-q", file], { env: { ...process.env } });
      // More keys than sshd lets anyone try.
      for (let index = 0; index < 8; index++) await add(keygen(`useless${index}`, "-t", "ed25519"));
      const held = keygen("held", "-t", "ed25519");
      allow(held);
      await add(held);
      rmSync(held);
      t.ok(
        await fine(toInventoryNode(machine, { identityFile: held })),
        "the private half of a named key, of which only .pub is here",
      );

      const locked = join(folder, "locked");
      copyFileSync(keygen("opened", "-t", "ed25519"), locked);
      copyFileSync(join(folder, "opened.pub"), `${locked}.pub`);
      allow(locked);
      await add(locked);
      execFileSync("ssh-keygen", ["-q", "-p", "-P", "", "-N", "secret", "-f", locked]);
      t.ok(await fine(toInventoryNode(machine, { identityFile: locked })), "a key that is encrypted here");

      const config = join(t.testdir({ config: `Host *\n  IdentitiesOnly yes\n  IdentityFile ${held}\n` }), "config");
      process.env.MUSTER_SSH_CONFIG = config;
      t.teardown(() => delete process.env.MUSTER_SSH_CONFIG);
      t.ok(await fine(toInventoryNode(machine, { identityFile: undefined })), "IdentitiesOnly leaves the others out");
    },
  );

  t.test(
    "without an ssh agent, as under cron, the error mentions it where an agent might have had the key",
    async (t) => {
      const sealed = join(folder, "sealed");
      await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "a passphrase", "-f", sealed]);
      const before = process.env.SSH_AUTH_SOCK;
      delete process.env.SSH_AUTH_SOCK;
      t.teardown(() => {
        if (before !== undefined) process.env.SSH_AUTH_SOCK = before;
      });
      const error = (await connect(toInventoryNode(machine, { identityFile: sealed })).catch(
        (one) => one,
      )) as ConnectionError;
      t.equal(error.code, "UNSUPPORTED_KEY");
      t.match(error.message, /sealed .*; no ssh agent is available \(SSH_AUTH_SOCK is not set, as under cron\)$/);
      t.match(error.next, /under cron, set identity_file to a key without a passphrase/);
    },
  );

  t.test("a missing ssh agent does not prevent the login", async (t) => {
    process.env.SSH_AUTH_SOCK = join(folder, "no-agent");
    t.teardown(() => delete process.env.SSH_AUTH_SOCK);
    t.ok(await fine(toInventoryNode(machine)));
    const identityFile = keygen("stranger2", "-t", "ed25519");
    await t.rejects(connect(toInventoryNode(machine, { identityFile })), { code: "AUTH", message: /no-agent/ });
  });
});

t.test("every node has an outcome, in the order of the inventory", { skip: lacking() }, async (t) => {
  const lab = await startLab({ nodes: 2, gpus: 0 });
  t.teardown(() => lab.stop());
  const [first, second] = [toInventoryNode(lab.nodes[0]!), toInventoryNode(lab.nodes[1]!)];
  const nodes = [
    { ...first, name: "closed", port: 1 },
    first,
    { ...first, name: "unnamed", host: "no-such-host.invalid" },
    createNode({ name: "here", connection: "local" }),
    { ...second, name: "stranger", user: "nobody-here" },
    second,
  ];
  const ended: string[] = [];
  const outcomes = await forEachNode(
    nodes,
    async (connection) => (await connection.exec(["echo", connection.node.name], { timeout: 20 })).stdout.trim(),
    ({ node }) => ended.push(node.name),
  );
  t.same(
    outcomes.map((outcome) => [outcome.node.name, "error" in outcome ? outcome.error.code : outcome.value]),
    [
      ["closed", "UNREACHABLE"],
      ["node1", "node1"],
      ["unnamed", "UNREACHABLE"],
      ["here", "here"],
      ["stranger", "AUTH"],
      ["node2", "node2"],
    ],
  );
  t.same(ended.sort(), nodes.map(({ name }) => name).sort(), "each is reported once");
});
