import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { connect } from "../../fleet/connect.js";
import type { Connection } from "../../fleet/connection.js";
import { forEachNode } from "../../fleet/eachnode.js";
import { loadInventory } from "../../fleet/inventory.js";
import type { Node } from "../../fleet/node.js";
import { lacking, startLab } from "../lab/lab.js";
import { toInventoryNode } from "./nodes.js";

const skip = lacking();

/** The key of the machine that a connection has led to, by asking it something. */
async function whoAnswers(connection: Connection): Promise<string | undefined> {
  const outcome = await connection.exec(["true"], { timeout: 20 });
  return outcome.kind === "exit" && outcome.code === 0 ? connection.hostKey : undefined;
}

t.test("host keys are checked against known_hosts", { skip }, async (t) => {
  const lab = await startLab({ nodes: 2, gpus: 0 });
  t.teardown(() => lab.stop());
  const [first, second] = [lab.nodes[0]!, lab.nodes[1]!];
  // Debian's own ssh_config hashes names.
  t.beforeEach((t) => {
    process.env.MUSTER_SSH_CONFIG = join(t.testdir({ config: "" }), "config");
  });
  t.afterEach(() => delete process.env.MUSTER_SSH_CONFIG);

  t.test("an unknown host key is refused with its fingerprint and the next action", async (t) => {
    const knownHosts = emptyFile(lab.folder);
    const error = await connect(toInventoryNode(first, { knownHosts })).catch((error) => error);
    t.match(error, { name: "ConnectionError", code: "HOST_KEY_UNKNOWN", exitStatus: 69, node: "node1" });
    t.match(error.message, /SHA256:[\w+/]{43}/);
    t.match(error.next, new RegExp(`ssh-keyscan .*${first.host} >> ${knownHosts}`));
    t.equal(readFileSync(knownHosts, "utf8"), "");
  });

  t.test("a new host key is recorded once if the inventory accepts new keys", async (t) => {
    const folder = join(lab.folder, "made/for/it");
    const knownHosts = join(folder, "known_hosts");
    const twice = [
      toInventoryNode(first, { knownHosts, hostKeys: "accept-new" }),
      toInventoryNode(first, { knownHosts, hostKeys: "accept-new" }),
    ];
    for (const outcome of await forEachNode(twice, whoAnswers)) t.match(outcome, { value: /^ssh-ed25519 SHA256:/ });
    t.equal(readFileSync(knownHosts, "utf8"), `${first.knownHostsLine}\n`);
    t.equal(statSync(folder).mode & 0o777, 0o700);
    const strict = await connect(toInventoryNode(first, { knownHosts, hostKeys: "strict" }));
    await strict.close();
  });

  t.test("where the inventory says nothing, StrictHostKeyChecking of ~/.ssh/config holds", async (t) => {
    const knownHosts = emptyFile(lab.folder);
    const said = (defaults = {}) => {
      const file = lab.inventory({ file: "silent.yaml", defaults: { known_hosts: knownHosts, ...defaults } });
      return loadInventory(file).nodes.slice(0, 1);
    };
    const state = async (nodes: Node[]) => {
      const [outcome] = await forEachNode(nodes, whoAnswers);
      return "error" in outcome! ? outcome.error.code : "connected";
    };
    t.equal(await state(said()), "HOST_KEY_UNKNOWN", "strict where both say nothing");
    const folder = t.testdir({ config: "StrictHostKeyChecking accept-new\n" });
    process.env.MUSTER_SSH_CONFIG = join(folder, "config");
    t.equal(await state(said({ host_keys: "strict" })), "HOST_KEY_UNKNOWN", "the inventory comes first");
    t.equal(await state(said()), "connected");
    t.equal(readFileSync(knownHosts, "utf8"), `${first.knownHostsLine}\n`);
  });

  t.test("a new host key is added after an incomplete last line, and hashed if ssh would hash it", async (t) => {
    const folder = t.testdir({ known_hosts: "# no end", config: "HashKnownHosts yes\n" });
    process.env.MUSTER_SSH_CONFIG = join(folder, "config");
    const knownHosts = join(folder, "known_hosts");
    for (const hostKeys of ["accept-new", "strict"] as const) {
      const connection = await connect(toInventoryNode(second, { knownHosts, hostKeys }));
      await connection.close();
    }
    t.match(readFileSync(knownHosts, "utf8"), /^# no end\n\|1\|\S+ ssh-ed25519 \S+\n$/);
  });

  t.test("a changed host key is always refused, and the other nodes continue", async (t) => {
    const folder = t.testdir({ config: "StrictHostKeyChecking no\n" });
    process.env.MUSTER_SSH_CONFIG = join(folder, "config");
    await first.rekey();
    for (const hostKeys of ["strict", "accept-new", undefined] as const) {
      const before = readFileSync(lab.knownHosts, "utf8");
      const nodes = [toInventoryNode(first, { hostKeys }), toInventoryNode(second, { hostKeys })];
      const [changed, fine] = await forEachNode(nodes, whoAnswers);
      t.match(changed, {
        node: { name: "node1" },
        error: { code: "HOST_KEY_CHANGED", message: /CHANGED/, next: /ssh-keygen/ },
      });
      t.match(fine, { value: /^ssh-ed25519 SHA256:/ });
      t.equal(readFileSync(lab.knownHosts, "utf8"), before);
    }
  });

  t.test("a revoked host key is refused", async (t) => {
    const knownHosts = emptyFile(lab.folder);
    writeFileSync(knownHosts, `${second.knownHostsLine}\n@revoked * ${second.hostKey}\n`);
    await t.rejects(connect(toInventoryNode(second, { knownHosts, hostKeys: "accept-new" })), {
      code: "HOST_KEY_REVOKED",
    });
  });

  t.test("a host that is known only by another type of key counts as changed", async (t) => {
    const knownHosts = emptyFile(lab.folder);
    const blob = Buffer.concat([Buffer.from([0, 0, 0, 7]), Buffer.from("ssh-rsa"), Buffer.alloc(40)]).toString(
      "base64",
    );
    writeFileSync(knownHosts, `[${second.host}]:${second.port},${second.host} ssh-rsa ${blob}\n`);
    await t.rejects(connect(toInventoryNode(second, { knownHosts, hostKeys: "accept-new" })), {
      code: "HOST_KEY_CHANGED",
    });
  });

  t.notOk(existsSync(join(lab.folder, ".ssh")));
});

function emptyFile(folder: string): string {
  const file = join(mkdtempSync(join(folder, "empty-")), "known_hosts");
  writeFileSync(file, "");
  return file;
}
