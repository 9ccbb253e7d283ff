import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import {
  addressOf,
  asRoot,
  BARE_MACHINES,
  BootstrapFolder,
  fingerprintOf,
  makeBare,
  PASSWORD,
} from "./bootstrapmachine.js";

const { skip, lab, nodes } = await shareLab(t, { nodes: 2, gpus: 2, ...BARE_MACHINES }, "users with passwords");
const shop = new BootstrapFolder();
t.teardown(() => shop.remove());
await shop.makeKeys();

/** A stand-in for apt-get that brings back the interpreter that the test has hidden, as root. */
const FAKE_APT = `cat >/usr/local/bin/apt-get <<'APT'
#!/bin/sh
echo "$(id -u) $*" >>/var/log/fake-apt
case " $* " in *" install python3 "*) mv /usr/bin/hidden3 /usr/bin/python3 ;; esac
APT
chmod 755 /usr/local/bin/apt-get; mv /usr/bin/python3 /usr/bin/hidden3`;

t.test(
  "a machine with nothing but sshd becomes a node, and the second time nothing is to be done",
  { skip },
  async (t) => {
    const [node] = nodes as [(typeof nodes)[0]];
    const address = addressOf(node);
    await makeBare(node);
    await asRoot(node, FAKE_APT);
    const before = "# kept, without a line break at its end\nssh-ed25519 AAAAother other";
    await asRoot(
      node,
      `mkdir -p /home/rig/.ssh; printf '%s' '${before}' >/home/rig/.ssh/authorized_keys; chmod 664 /home/rig/.ssh/authorized_keys
    chown -R rig:rig /home/rig/.ssh; chmod 777 /home/rig`,
    );
    const text = shop.start("  other: {host: 127.0.0.9}   # other\n    # of other\n");
    const made = await shop.onTerminal(
      t,
      [address],
      [
        ["recorded? [y/N]", "y"],
        ["password of rig@", "mistyped"],
        ["password of rig@", PASSWORD],
        ["Set them? [y/N]", "y"],
        ["Set this rule? [y/N]", "y"],
      ],
    );
    t.equal(made.code, 0, made.out);
    for (const shown of [
      `the host key of ${node.host}:${node.port} is not known yet: ssh-ed25519 ${fingerprintOf(lab, node)}`,
      "the password is wrong",
      "(me@here) added to ~/.ssh/authorized_keys; mode of /home/rig: 755; mode of",
      "the playbooks session run programs as root, without a password:",
      "python3: installed with apt: 3.",
      "inventory: added as node1",
    ])
      t.ok(made.out.includes(shown), shown);
    t.notOk(/correct horse|mistyped/.test(made.out), "what is typed as a password is not shown");
    t.match(await asRoot(node, "cat /var/log/fake-apt"), /^0 .* install python3$/m, "apt ran as root");

    const key = readFileSync(`${shop.key}.pub`, "utf8");
    t.equal(await asRoot(node, "cat /home/rig/.ssh/authorized_keys"), `${before}\n${key}`);
    const stat = "stat -c '%U %a' /home/rig /home/rig/.ssh /home/rig/.ssh/authorized_keys /etc/sudoers.d/muster-rig";
    t.equal(await asRoot(node, stat), "rig 755\nrig 755\nrig 644\nroot 440\n");
    t.match(await asRoot(node, "cat /etc/sudoers.d/muster-rig"), /^rig ALL=\(ALL:ALL\) NOPASSWD: ALL$/m);
    t.equal(await asRoot(node, "ls -A /etc/sudoers.d /home/rig/.ssh | grep -c muster-new || true"), "0\n");

    const after = shop.read("inventory.yaml");
    const [start, rest] = text.split("# end");
    t.ok(after.startsWith(start!) && after.includes(`\n# end${rest}`), after);
    t.match(after, /\n {2}node1:\n {4}host: .*\n(?: {4}port: .*\n)? {4}profile: rx6600\n {4}gpus: 2\n {4}pci: /);
    t.ok(shop.read("known").includes(node.hostKey));
    const files = "md5sum /etc/sudoers.d/* /home/rig/.ssh/*; stat -c %Y /etc/sudoers.d /home/rig/.ssh/*";
    const state = await asRoot(node, files);
    const again = await shop.bootstrap(address, "node1");
    t.match(
      again,
      { code: 0, err: /nothing to do: .* as node1\n(.*\n)*?node1: nothing to do/ },
      "by address and by name",
    );
    t.equal(await asRoot(node, files), state);
    t.equal(shop.read("inventory.yaml"), after);
    t.notOk([after, shop.read("known"), state].join().includes(PASSWORD));
  },
);

t.test(
  "without a terminal, a key and flags do; a machine that refuses does not stop the others",
  { skip },
  async (t) => {
    const node = nodes[1]!;
    await makeBare(node, shop.bootKey);
    await asRoot(node, "echo 'rig ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/asks");
    shop.start("  other: {host: 127.0.0.9}\n");
    const words = ["--accept-new", "--key", "boot", "--json", "--playbooks", "python"];
    const made = await shop.bootstrap("127.0.0.77:1", addressOf(node), ...words);
    t.equal(made.code, 3, made.err);
    t.match(
      made.err,
      /^127\.0\.0\.77:1: connect to rig@.*: the machine refuses connections at this port.*\n {2}next: /,
    );
    const document = JSON.parse(made.out);
    t.match(document.hosts, [
      { host: "127.0.0.77:1", node: null, state: "failed", error: { code: "UNREACHABLE" } },
      { node: "node2", state: "ready", error: null },
    ]);
    t.same(
      document.hosts[1].steps.map(({ step, changed }: { step: string; changed: boolean }) => [step, changed]),
      [
        ["host key", true],
        ["log-in", false],
        ["public key", true],
        ["sudo", false],
        ["python3", false],
        ["inventory", true],
      ],
    );
    t.match(document.nodes, [{ node: "node2", state: "in sync" }]);
    const mode = await asRoot(node, "stat -c '%U %a' /home/rig/.ssh /home/rig/.ssh/authorized_keys");
    t.equal(mode, "rig 700\nrig 600\n");
    t.notMatch(readFileSync(join(shop.folder, "known"), "utf8"), /^\[127\.0\.0\.77/m);
  },
);

t.test("three wrong passwords end the log-in", { skip }, async (t) => {
  const node = nodes[1]!;
  await asRoot(node, "rm -r /home/rig/.ssh");
  const text = shop.start("  other: {host: 127.0.0.9}\n");
  const wrong = [1, 2, 3].map((n) => ["password of rig@", `wrong ${n}`] as const);
  const ended = await shop.onTerminal(t, [addressOf(node), "--fingerprint", fingerprintOf(lab, node)], wrong);
  t.match(ended, { code: 69, out: /connect to rig@.*: the server does not accept this password of rig\s+next: / });
  t.equal(shop.read("inventory.yaml"), text);
});
