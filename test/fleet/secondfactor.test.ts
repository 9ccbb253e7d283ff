import { execFileSync } from "node:child_process";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { connect } from "../../fleet/connect.js";
import { lacking, startLab } from "../lab/lab.js";
import { createNode } from "./nodes.js";

const skip = lacking("other keys on the nodes");

t.test("a server that wants more than a key, or that allows few tries", { skip }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0 });
  t.teardown(() => lab.stop());
  const node = lab.nodes[0]!;
  const folder = t.testdir({ known_hosts: `${node.knownHostsLine}\n` });
  const keygen = (name: string) => {
    execFileSync("ssh-keygen", ["-q", "-N", "", "-t", "ed25519", "-f", join(folder, name)]);
    return join(folder, name);
  };
  const authorize = (file: string) =>
    appendFileSync(join(node.root, "etc/ssh/authorized_keys"), readFileSync(`${file}.pub`, "utf8"));
  /** Logs in with these keys, in this order. */
  const logIn = async (t: Test, keys: string[]) => {
    const login = `Host target\nHostName ${node.host}\nPort ${node.port}\nUser ${node.user}\nIdentitiesOnly yes\n`;
    const identities = keys.map((key) => `IdentityFile ${key}\n`).join("");
    writeFileSync(join(folder, "config"), `${login}${identities}UserKnownHostsFile ${folder}/known_hosts\n`);
    process.env.MUSTER_SSH_CONFIG = join(folder, "config");
    t.teardown(() => delete process.env.MUSTER_SSH_CONFIG);
    await (await connect(createNode({ host: "target" }))).close();
  };
  const second = keygen("second");
  authorize(second);
  const strangers = ["s1", "s2", "s3"].map(keygen);

  t.test("a password in addition", async (t) => {
    await node.restartSshd({ AuthenticationMethods: "publickey,password", PasswordAuthentication: "yes" });
    await t.rejects(logIn(t, [strangers[0]!, node.identityFile, second]), {
      code: "AUTH",
      message: /the server accepted a key of \w+ \(offered: .*\), and wants password in addition/,
      next: /AuthenticationMethods publickey in the node's sshd_config/,
    });
  });

  t.test("a second key", async (t) => {
    await node.restartSshd({ AuthenticationMethods: "publickey,publickey" });
    await t.rejects(logIn(t, [node.identityFile, strangers[0]!]), {
      code: "AUTH",
      message: /the server accepted a key of \w+ \(offered: .*\), and wants another key in addition/,
      next: /authorize a second one of these keys there, or let that user log in with one: AuthenticationMethods publickey/,
    });
    await logIn(t, [strangers[0]!, node.identityFile, second]);
  });

  t.test("more keys than tries", async (t) => {
    await node.restartSshd({ MaxAuthTries: 2 });
    await t.rejects(logIn(t, [...strangers, node.identityFile]), {
      code: "AUTH",
      message: /ended the log-in after 2 tries \(too many authentication failures\); keys to offer: .*s1, .*s2, .*s3, /,
      next: /identity_file, and set IdentitiesOnly yes/,
    });
    await logIn(t, [strangers[0]!, node.identityFile]);
  });

  t.test("keys that it does not know, within the tries", async (t) => {
    await node.restartSshd();
    await t.rejects(logIn(t, strangers), { code: "AUTH", message: /may not log in with/, next: /authorized_keys/ });
  });
});
