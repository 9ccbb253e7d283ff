import { execFile, execFileSync } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import t, { type Test } from "tap";
import { connect } from "../../fleet/connect.js";
import { lacking, startLab } from "../lab/lab.js";
import { createNode } from "./nodes.js";

const run = promisify(execFile);
const CERTIFICATE_ONLY = { HostKeyAlgorithms: "ssh-ed25519-cert-v01@openssh.com" };

t.test(
  "certificates are named where muster does not get on without them",
  { skip: lacking("other keys") },
  async (t) => {
    const lab = await startLab({ nodes: 1, gpus: 0 });
    t.teardown(() => lab.stop());
    const node = lab.nodes[0]!;
    const folder = t.testdir({});
    const keygen = (...words: string[]) => execFileSync("ssh-keygen", ["-q", ...words], { stdio: "ignore" });
    const authority = join(folder, "authority");
    keygen("-t", "ed25519", "-N", "", "-f", authority);
    const onNode = (name: string) => join(node.root, "etc/ssh", name);
    copyFileSync(`${authority}.pub`, onNode("authority.pub"));
    keygen("-s", authority, "-I", "host", "-h", onNode("ssh_host_ed25519_key.pub"));
    const [type, key] = execFileSync("cat", [`${authority}.pub`], { encoding: "utf8" }).split(" ");
    const trusted = `@cert-authority * ${type} ${key}\n`;
    const certified = {
      HostCertificate: "/etc/ssh/ssh_host_ed25519_key-cert.pub",
      TrustedUserCAKeys: "/etc/ssh/authority.pub",
    };
    const login = `Host target\nHostName ${node.host}\nPort ${node.port}\nUser ${node.user}\nIdentitiesOnly yes\n`;
    /** Writes a configuration; `lines` may name `{DIR}`, the folder of its files. */
    const configure = (t: Test, lines: string, known: string) => {
      const dir = t.testdir({ known_hosts: known });
      const file = join(dir, "config");
      writeFileSync(file, `${login}${lines.replaceAll("{DIR}", dir)}\nUserKnownHostsFile ${dir}/known_hosts\n`);
      process.env.MUSTER_SSH_CONFIG = file;
      t.teardown(() => delete process.env.MUSTER_SSH_CONFIG);
      return file;
    };
    const ssh = (config: string) => run("ssh", ["-F", config, "-o", "BatchMode=yes", "target", "true"]);
    const muster = async () => (await connect(createNode({ host: "target" }))).close();
    const known = `${node.knownHostsLine}\n`;
    const identity = `IdentityFile ${node.identityFile}`;

    t.test("a host whose authority is known, and whose own key is not", async (t) => {
      await node.restartSshd(certified);
      await ssh(configure(t, identity, trusted));
      await t.rejects(muster(), { code: "HOST_KEY_UNKNOWN", message: /@cert-authority line is ignored/ });
      configure(t, identity, trusted + known);
      await muster();
    });

    t.test("a host that offers nothing but a certificate", async (t) => {
      await node.restartSshd({ ...certified, ...CERTIFICATE_ONLY });
      await ssh(configure(t, identity, trusted));
      await t.rejects(muster(), {
        code: "CONFIG",
        message: /offers only a host certificate \(ssh-ed25519-cert-v01@openssh.com\)/,
        next: /HostKeyAlgorithms in sshd_config/,
      });
    });

    t.test("a user whom only a certificate lets in", async (t) => {
      await node.restartSshd(certified);
      const own = join(folder, "own");
      keygen("-t", "ed25519", "-N", "", "-f", own);
      keygen("-s", authority, "-I", "user", "-n", node.user, `${own}.pub`);
      await ssh(configure(t, `IdentityFile ${own}`, known));
      const isNamed = (path: string) => ({
        code: "AUTH",
        message: new RegExp(`${path} is a certificate, which muster`),
      });
      await t.rejects(muster(), isNamed(`${own}-cert.pub`), "beside the key");
      const [plain, elsewhere] = [join(folder, "plain"), join(folder, "elsewhere.pub")];
      for (const end of ["", ".pub"]) copyFileSync(`${own}${end}`, `${plain}${end}`);
      copyFileSync(`${own}-cert.pub`, elsewhere);
      await ssh(configure(t, `IdentityFile ${plain}\nCertificateFile ${elsewhere}`, known));
      await t.rejects(muster(), isNamed(elsewhere), "named by CertificateFile");
      configure(t, `IdentityFile ${elsewhere}`, known);
      await t.rejects(muster(), { code: "UNSUPPORTED_KEY", message: /elsewhere.pub is a certificate/ }, "as a key");
    });
  },
);
