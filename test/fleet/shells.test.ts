import { existsSync } from "node:fs";
import { basename } from "node:path";
import t from "tap";
import { checkFileService } from "../../fleet/checkfileservice.js";
import { SshDialer } from "../../fleet/ssh/sshdialer.js";
import { lacking, startLab } from "../lab/lab.js";
import { toInventoryNode } from "./nodes.js";

const skip = lacking("another login shell");
/** sshd starts this server with the login shell. */
const EXTERNAL = { Subsystem: "sftp /usr/lib/openssh/sftp-server" };

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

t.test("a start-up file that breaks SFTP is named, with what it prints", { skip }, async (t) => {
  const lab = await startLab({
    nodes: 1,
    gpus: 0,
    user: "rig",
    loginShell: "/bin/bash",
    banner: "hello",
    sshd: EXTERNAL,
  });
  t.teardown(() => lab.stop());
  await lab.nodes[0]!.exec(["sh", "-c", "echo 'echo Welcome to the rig' >/home/rig/.bashrc"]);
  const connection = await new SshDialer().connect(toInventoryNode(lab.nodes[0]!));
  t.teardown(() => connection.close());
  await t.rejects(checkFileService(connection), {
    code: "SHELL",
    message:
      /open SFTP: the server refuses: .*; the login shell \/bin\/bash prints before each program: .*Welcome to the rig/,
    next: /~\/\.bashrc/,
  });
});

t.test("a start-up file that waits for input or becomes another shell is reported", { skip }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0, user: "rig", loginShell: "/bin/bash" });
  t.teardown(() => lab.stop());
  for (const line of ["echo choose: ; read answer", "echo choose: ; exec cat"]) {
    await lab.nodes[0]!.exec(["sh", "-c", `echo '${line}' >/home/rig/.bashrc`]);
    const connection = await new SshDialer().connect(toInventoryNode(lab.nodes[0]!));
    const outcome = await connection.exec(["true"], { timeout: 3 });
    t.match(
      outcome,
      { kind: "timeout", stderr: /the login shell did not start the program .* printed: choose:/ },
      line,
    );
    await connection.close();
  }
});

t.test("a login shell that rejects everybody is reported", { skip }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0, user: "rig", loginShell: "/usr/sbin/nologin" });
  t.teardown(() => lab.stop());
  const connection = await new SshDialer().connect(toInventoryNode(lab.nodes[0]!));
  t.teardown(() => connection.close());
  await t.rejects(connection.open(["true"]), { code: "SHELL", message: /not available/, next: /login shell/ });
  t.match(await connection.exec(["true"], { timeout: 30 }), { kind: "lost", reason: /not available/ });
});
