import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import t, { type Test } from "tap";
import { connect } from "../../fleet/connect.js";
import type { ConnectionError } from "../../fleet/connectionerror.js";
import { type LabNode, lacking, startLab } from "../lab/lab.js";
import { makeKey } from "../lab/sshd.js";
import { createNode } from "./nodes.js";

const run = promisify(execFile);

/** Not 22, because known_hosts names other ports, and a key of the bare name may vouch for them. */
const PORT = "2222";

/** One configuration with the known_hosts that it meets. `{KEY}`, `{OTHER}`, `{RSA}`, `{HOST}`, `{PORT}`, `{AT}`, `{DIR}` are filled in. */
interface Case {
  what: string;
  config?: string;
  known: string;
  /** Whether both connect. */
  connects: boolean;
  /** Error code of muster where it does not connect. */
  code?: string;
  /** ssh connects where muster, on purpose, refuses. */
  isStricter?: true;
  /** What both append to known_hosts. */
  records?: string;
  files?: Record<string, string>;
}

const NEW = "StrictHostKeyChecking accept-new";
const ALIAS = `HostKeyAlias Foo-Key\n${NEW}`;

const cases: Case[] = [
  { what: "nothing known, strict", known: "", connects: false, code: "HOST_KEY_UNKNOWN" },
  { what: "nothing known, accept-new", config: NEW, known: "", connects: true, records: "{AT} {KEY}" },
  { what: "nothing known, no", config: "StrictHostKeyChecking no", known: "", connects: true, records: "{AT} {KEY}" },
  {
    what: "nothing known, ask",
    config: "StrictHostKeyChecking ask",
    known: "",
    connects: false,
    code: "HOST_KEY_UNKNOWN",
  },
  {
    what: "nothing known, yes",
    config: "StrictHostKeyChecking yes",
    known: "",
    connects: false,
    code: "HOST_KEY_UNKNOWN",
  },
  { what: "the key at the port", known: "{AT} {KEY}", connects: true },
  { what: "the key for the bare name", known: "{HOST} {KEY}", connects: true },
  { what: "another key at the port", config: NEW, known: "{AT} {OTHER}", connects: false, code: "HOST_KEY_CHANGED" },
  {
    what: "another key at the port, under StrictHostKeyChecking no",
    config: "StrictHostKeyChecking no",
    known: "{AT} {OTHER}",
    connects: false,
    code: "HOST_KEY_CHANGED",
    isStricter: true,
  },
  {
    what: "another key at the port, the key for the bare name",
    config: NEW,
    known: "{AT} {OTHER}\n{HOST} {KEY}",
    connects: false,
    code: "HOST_KEY_CHANGED",
  },
  {
    what: "another key for the bare name",
    config: NEW,
    known: "{HOST} {OTHER}",
    connects: true,
    records: "{AT} {KEY}",
  },
  { what: "a key of another type", config: NEW, known: "{AT} {RSA}", connects: false, code: "HOST_KEY_CHANGED" },
  { what: "two keys of one type", known: "{AT} {OTHER}\n{AT} {KEY}", connects: true },
  { what: "a wildcard", known: "[127.*]:{PORT} {KEY}", connects: true },
  { what: "a wildcard for the bare name", known: "127.* {KEY}", connects: true },
  { what: "a negation", config: NEW, known: "[127.*]:{PORT},!{AT} {KEY}", connects: true, records: "{AT} {KEY}" },
  {
    what: "a negation that matches, strict",
    known: "!{AT},[127.*]:{PORT} {KEY}",
    connects: false,
    code: "HOST_KEY_UNKNOWN",
  },
  {
    what: "revoked at the port",
    config: NEW,
    known: "@revoked {AT} {KEY}\n{AT} {KEY}",
    connects: false,
    code: "HOST_KEY_REVOKED",
  },
  {
    what: "revoked for the bare name",
    config: NEW,
    known: "@revoked {HOST} {KEY}",
    connects: false,
    code: "HOST_KEY_REVOKED",
    isStricter: true,
  },
  {
    what: "revoked everywhere",
    config: NEW,
    known: "@revoked * {KEY}\n{AT} {KEY}",
    connects: false,
    code: "HOST_KEY_REVOKED",
  },
  {
    what: "revoked for the bare name, listed at the port",
    config: NEW,
    known: "@revoked {HOST} {KEY}\n{AT} {KEY}",
    connects: false,
    code: "HOST_KEY_REVOKED",
    isStricter: true,
  },
  { what: "another key revoked", known: "@revoked * {OTHER}\n{AT} {KEY}", connects: true },
  { what: "an authority only", known: "@cert-authority * {KEY}", connects: false, code: "HOST_KEY_UNKNOWN" },
  {
    what: "an authority only, accept-new",
    config: NEW,
    known: "@cert-authority * {OTHER}",
    connects: true,
    records: "{AT} {KEY}",
  },
  {
    what: "an alias with another key",
    config: ALIAS,
    known: "foo-key {OTHER}",
    connects: false,
    code: "HOST_KEY_CHANGED",
  },
  { what: "an alias with the key", config: ALIAS, known: "foo-key {KEY}", connects: true },
  { what: "an alias with the key in capitals", config: ALIAS, known: "FOO-KEY {KEY}", connects: true },
  { what: "an alias, unknown", config: ALIAS, known: "", connects: true, records: "foo-key {KEY}" },
  { what: "an alias, hashed", config: `${ALIAS}\nHashKnownHosts yes`, known: "", connects: true, records: "|1|" },
  {
    what: "an alias with a port",
    config: ALIAS,
    known: "[foo-key]:{PORT} {OTHER}",
    connects: true,
    records: "foo-key {KEY}",
  },
  {
    what: "an alias with the key at a port",
    config: "HostKeyAlias foo-key",
    known: "[foo-key]:{PORT} {KEY}",
    connects: false,
    code: "HOST_KEY_UNKNOWN",
  },
  {
    what: "an alias, and the key by address",
    config: "HostKeyAlias foo-key",
    known: "{AT} {KEY}\n{HOST} {KEY}",
    connects: false,
    code: "HOST_KEY_UNKNOWN",
  },
  {
    what: "an alias that is revoked",
    config: ALIAS,
    known: "@revoked foo-key {KEY}",
    connects: false,
    code: "HOST_KEY_REVOKED",
  },
  {
    what: "an alias, another key by address",
    config: "HostKeyAlias foo-key",
    known: "{AT} {OTHER}\nfoo-key {KEY}",
    connects: true,
  },
  {
    what: "loopback without authentication",
    config: "NoHostAuthenticationForLocalhost yes",
    known: "{AT} {OTHER}",
    connects: false,
    code: "HOST_KEY_CHANGED",
    isStricter: true,
  },
];

t.test("muster accepts and records the host keys that ssh does", { skip: lacking("another port") }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0, sshd: { Port: PORT } });
  t.teardown(() => lab.stop());
  t.afterEach(() => delete process.env.MUSTER_SSH_CONFIG);
  const node = lab.nodes[0]!;
  const { host, hostKey } = node;
  const values = { ...(await makeKeys(lab.folder)), KEY: hostKey, HOST: host, PORT, AT: `[${host}]:${PORT}` };
  for (const [index, one] of cases.entries()) {
    await t.test(one.what, (t) => compare(t, node, join(lab.folder, `case${index}`), one, values));
  }
});

async function compare(
  t: Test,
  node: LabNode,
  folder: string,
  one: Case,
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
  t.equal(ssh === "connects", one.connects || one.isStricter === true, `ssh: ${ssh}`);
  if (one.connects) t.equal(muster, "connects");
  else t.match(muster, { code: one.code });
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
function prepare(node: LabNode, dir: string, { files, known, config }: Case, values: Record<string, string>): string {
  mkdirSync(dir, { recursive: true });
  const fill = (text: string) => fillIn(text, { ...values, DIR: dir });
  const all = { ...files, known_hosts: known === "" ? "" : `${known}\n` };
  for (const [name, text] of Object.entries(all)) writeFileSync(join(dir, name), fill(text));
  writeFileSync(join(dir, "config"), createConfig(node, dir, fill(config ?? "")));
  return dir;
}

function createConfig(node: LabNode, dir: string, text: string): string {
  return `Host target
HostName ${node.host}
Port ${PORT}
User ${node.user}
IdentityFile ${node.identityFile}
IdentitiesOnly yes
${text}
UserKnownHostsFile ${dir}/known_hosts
GlobalKnownHostsFile none
`;
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
