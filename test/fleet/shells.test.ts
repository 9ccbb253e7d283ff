import { existsSync } from "node:fs";
import { basename } from "node:path";
import t from "tap";
import { SshDialer } from "../../fleet/ssh/sshdialer.js";
import { lacking, startLab } from "../lab/lab.js";
import { toInventoryNode } from "./nodes.js";

const skip = lacking("another login shell");

function without(shell: string): string | false {
  return existsSync(shell)
    ? false
    : `needs ${shell}: apt-get install ${shell === "/bin/csh" ? "tcsh" : basename(shell)}`;
}

for (const loginShell of ["/bin/bash", "/bin/dash", "/bin/csh", "/usr/bin/fish"]) {
  t.test(`behind ${loginShell} with a start-up file that prints`, { skip: skip || without(loginShell) }, async (t) => {
    const lab = await startLab({ nodes: 1, gpus: 0, user: "rig", loginShell, banner: "Welcome to $(hostname)! {" });
    t.teardown(() => lab.stop());
    const connection = await new SshDialer().connect(toInventoryNode(lab.nodes[0]!));
    t.teardown(() => connection.close());
    const words = ["a b\n!!", "$HOME 'x' \"y\" `id`", "é😀\\"];
    const reader = `import sys; sys.stdout.buffer.write("\\0".join(sys.argv[1:]).encode())`;
    const outcome = await connection.exec(["/usr/bin/python3", "-c", reader, ...words], { timeout: 30 });
    t.match(outcome, { kind: "exit", code: 0 });
    t.same(outcome.stdout.split("\0"), words);
    const channel = await connection.open(["cat"]);
    channel.stderr.resume();
    channel.stdin.end('{"ev":1}\n');
    t.equal((await channel.stdout.setEncoding("utf8").toArray()).join(""), '{"ev":1}\n');
    t.match(await connection.exec(["sleep", "60"], { timeout: 0.3 }), { kind: "timeout" });
    t.match(await (await connection.files()).home(), /^\//);
  });
}

t.test("a login shell that rejects everybody is reported", { skip }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0, user: "rig", loginShell: "/usr/sbin/nologin" });
  t.teardown(() => lab.stop());
  const connection = await new SshDialer().connect(toInventoryNode(lab.nodes[0]!));
  t.teardown(() => connection.close());
  await t.rejects(connection.open(["true"]), { code: "SHELL", message: /not available/, next: /login shell/ });
  t.match(await connection.exec(["true"], { timeout: 30 }), { kind: "lost", reason: /not available/ });
});
