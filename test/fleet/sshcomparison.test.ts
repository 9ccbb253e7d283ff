import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import t, { type Test } from "tap";
import { connect } from "../../fleet/connect.js";
import type { ConnectionError } from "../../fleet/connectionerror.js";
import { type LabNode, lacking, startLab } from "../lab/lab.js";
import { makeKey } from "../lab/sshd.js";
import { createNode } from "./nodes.js";
import { RELAY_PROGRAM } from "./relay.js";
import { hostKeyCases, type SshCase } from "./sshcases.js";
import { optionCases } from "./sshoptioncases.js";

const run = promisify(execFile);

/** Not 22, because known_hosts names other ports, and a key of the bare name may vouch for them. */
const PORT = "2222";

t.test("muster accepts and records the host keys that ssh does", { skip: lacking("another port") }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0, sshd: { Port: PORT } });
  t.teardown(() => lab.stop());
  t.afterEach(() => delete process.env.MUSTER_SSH_CONFIG);
  const node = lab.nodes[0]!;
  const { host, hostKey } = node;
  const lists = await makeRevocationLists(lab.folder, hostKey);
  const relay = join(lab.folder, "relay.py");
  writeFileSync(relay, RELAY_PROGRAM);
  const values = {
    ...(await makeKeys(lab.folder)),
    KEY: hostKey,
    HOST: host,
    PORT,
    AT: `[${host}]:${PORT}`,
    HASH: hashName(`[${host}]:${PORT}`),
    USER: node.user,
    LISTS: lists,
    RELAY: `python3 ${relay}`,
  };
  process.env.MUSTER_TEST_NAME = "chosen";
  t.teardown(() => delete process.env.MUSTER_TEST_NAME);
  for (const [index, one] of [...hostKeyCases, ...optionCases].entries()) {
    await t.test(one.what, (t) => compare(t, node, join(lab.folder, `case${index}`), one, values));
  }
});

async function compare(
  t: Test,
  node: LabNode,
  folder: string,
  one: SshCase,
  values: Record<string, string>,
): Promise<void> {
  const [ours, theirs] = ["ours", "theirs"].map((who) => prepare(node, join(folder, who), one, values));
  const ssh = await run("ssh", ["-F", join(theirs!, "config"), "-o", "BatchMode=yes", "target", "true"]).then(
    () => "connects",
    (error: { stderr: string }) => error.stderr,
  );
  process.env.MUSTER_SSH_CONFIG = join(ours!, "config");
  const muster = await connect(createNode({ host: "target" })).then(
    async (connection) => {
      await connection.close();
      return "connects";
    },
    (error: ConnectionError) => error,
  );
  t.equal(ssh === "connects", one.result === "connects" || one.isStricter === true, `ssh: ${ssh}`);
  if (one.result === "connects") t.equal(muster, "connects");
  else t.match(muster, { code: one.result });
  const readAdded = (dir: string) =>
    readFileSync(join(dir, "known_hosts"), "utf8").slice(fillIn(one.known, values).length).trim();
  const expected = fillIn(one.records ?? "", values);
  if (expected === "|1|") {
    for (const dir of [ours, theirs]) t.match(readAdded(dir!), /^\|1\|\S+\|\S+ ssh-ed25519 \S+$/);
  } else {
    t.equal(readAdded(ours!), expected, "muster's known_hosts");
    if (one.isStricter === undefined) t.equal(readAdded(theirs!), expected, "ssh's known_hosts");
  }
}

/** Writes the files of a case into `dir`, and returns it. */
function prepare(
  node: LabNode,
  dir: string,
  { files, known, config }: SshCase,
  values: Record<string, string>,
): string {
  mkdirSync(dir, { recursive: true });
  const fill = (text: string) => fillIn(text, { ...values, DIR: dir });
  const all = { ...files, known_hosts: known === "" ? "" : `${known}\n` };
  for (const [name, text] of Object.entries(all)) writeFileSync(join(dir, fill(name)), fill(text));
  writeFileSync(join(dir, "config"), createConfig(node, dir, fill(config ?? "")));
  return dir;
}

function createConfig(node: LabNode, dir: string, text: string): string {
  const login = `HostName ${node.host}\nPort ${PORT}\nUser ${node.user}\nIdentityFile ${node.identityFile}\n`;
  const filled = fillIn(text, { GATE: `Host gate\n${login}`, END: "Host target" });
  return `Host target
HostName ${node.host}
Port ${PORT}
User ${node.user}
IdentityFile ${node.identityFile}
IdentitiesOnly yes
${filled}
UserKnownHostsFile ${dir}/known_hosts
GlobalKnownHostsFile none
Host nowhere
HostName 127.0.0.1
Port 1
IdentityFile ${node.identityFile}
`;
}

/** Makes OpenSSH key revocation lists in a new folder: one with `hostKey`, one without, and a broken one. */
async function makeRevocationLists(folder: string, hostKey: string): Promise<string> {
  const lists = join(folder, "lists");
  mkdirSync(lists);
  await makeKey(join(lists, "unrelated"), "unrelated");
  writeFileSync(join(lists, "host.pub"), `${hostKey}\n`);
  await run("ssh-keygen", ["-q", "-k", "-f", join(lists, "with"), join(lists, "host.pub")]);
  await run("ssh-keygen", ["-q", "-k", "-f", join(lists, "without"), join(lists, "unrelated.pub")]);
  writeFileSync(join(lists, "broken"), readFileSync(join(lists, "with")).subarray(0, 20));
  return lists;
}

/** Hashes a name as HashKnownHosts does. */
function hashName(name: string): string {
  const salt = Buffer.alloc(20, 3);
  return `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update(name).digest("base64")}`;
}

async function makeKeys(folder: string): Promise<Record<string, string>> {
  await run("ssh-keygen", ["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", join(folder, "rsa")]);
  const [type, key] = readFileSync(join(folder, "rsa.pub"), "utf8").split(" ");
  return { OTHER: await makeKey(join(folder, "other"), "other"), RSA: `${type} ${key}` };
}

/** Replaces `{NAME}` by its value. */
function fillIn(text: string, values: Record<string, string>): string {
  return text.replace(/\{([A-Z]+)\}/g, (whole, name: string) => values[name] ?? whole);
}
