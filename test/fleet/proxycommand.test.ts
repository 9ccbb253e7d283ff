import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { connect } from "../../fleet/connect.js";
import type { ConnectionError } from "../../fleet/connectionerror.js";
import { ProxyCommandError, startProxyCommand } from "../../fleet/ssh/proxystream.js";
import { lacking, startLab } from "../lab/lab.js";
import { findMarked } from "../lab/processes.js";
import { waitUntil } from "../lab/waituntil.js";
import { createNode } from "./nodes.js";
import { RELAY_PROGRAM } from "./relay.js";

/** Marks the processes of a test in their environment, which children inherit. */
function markProcesses(t: Test): string {
  const mark = `MUSTER_PROXY_TEST=${process.pid}-${t.name.replaceAll(" ", "-")}`;
  const [name, value] = mark.split("=") as [string, string];
  process.env[name] = value;
  t.teardown(() => delete process.env[name]);
  return mark;
}

t.test("a ProxyCommand and its whole group end with the stream", async (t) => {
  const mark = markProcesses(t);
  const commands = ["cat", "cat | cat", "sh -c 'trap \"\" HUP; sleep 600 & sleep 600'"];
  for (const command of commands) {
    const stream = await startProxyCommand(command);
    await waitUntil("it runs", () => findMarked(mark).length > 0);
    const closed = new Promise((resolve) => stream.once("close", resolve));
    stream.destroy();
    await closed;
    await waitUntil(`no process of ${command}`, () => findMarked(mark).length === 0, 20);
  }
  t.same(findMarked(mark), []);
});

t.test("a ProxyCommand that ends fails the stream with its exit code and what it printed", async (t) => {
  const cases: [command: string, message: string, isRefusal: boolean][] = [
    ["sh -c 'echo cannot reach it >&2; exit 3'", "ended with exit code 3: cannot reach it", true],
    ["false", "ended with exit code 1", true],
    ["true", "ended with exit code 0", false],
    ["sh -c 'echo hello; exit 4'", "ended with exit code 4", false],
    ["sh -c 'kill -9 $$'", "was ended by SIGKILL", true],
    ["sh -c 'sleep 600 & exit 5'", "ended with exit code 5", true],
  ];
  for (const [command, message, isRefusal] of cases) {
    const stream = await startProxyCommand(command);
    const error = await new Promise((resolve) => {
      stream.on("error", resolve);
      stream.resume();
    });
    t.ok(error instanceof ProxyCommandError);
    t.match(error, { message: `the ProxyCommand ${message}`, isRefusal }, command);
  }
});

t.test("a shell that cannot be started is reported", async (t) => {
  const before = process.env.SHELL;
  process.env.SHELL = join(t.testdir(), "no-shell");
  t.teardown(() => {
    // An assignment of undefined would make it the word "undefined".
    if (before === undefined) delete process.env.SHELL;
    else process.env.SHELL = before;
  });
  await t.rejects(startProxyCommand("true"), { name: "ProxyCommandError", message: /could not be started: .*ENOENT/ });
});

t.test("bytes pass through unchanged, with backpressure", async (t) => {
  const stream = await startProxyCommand("cat");
  const sent = Buffer.alloc(4 << 20, "0123456789abcdef");
  const parts: Buffer[] = [];
  stream.end(sent);
  for await (const part of stream) parts.push(part);
  t.ok(Buffer.concat(parts).equals(sent));
});

t.test("over a ProxyCommand", { skip: lacking() }, async (t) => {
  const lab = await startLab({ nodes: 2, gpus: 0 });
  t.teardown(() => lab.stop());
  const [gate, node] = lab.nodes as [(typeof lab.nodes)[0], (typeof lab.nodes)[0]];
  const relay = join(lab.folder, "relay.py");
  writeFileSync(relay, RELAY_PROGRAM);
  const login = `User ${node.user}\nIdentityFile ${node.identityFile}\nUserKnownHostsFile ${lab.knownHosts}\n`;
  const useConfig = (t: Test, text: string) => {
    process.env.MUSTER_SSH_CONFIG = join(t.testdir({ config: text }), "config");
    t.teardown(() => delete process.env.MUSTER_SSH_CONFIG);
  };
  const target = `Host target\nHostName ${node.host}\nPort ${node.port}\n${login}`;
  const echo = async (host = "target") => {
    const connection = await connect(createNode({ host }));
    const { stdout } = await connection.exec(["echo", "hello"], { timeout: 20 });
    await connection.close();
    return stdout;
  };

  t.test("programs run, and no process is left", async (t) => {
    const mark = markProcesses(t);
    useConfig(t, `${target}ProxyCommand python3 ${relay} %h %p | cat\n`);
    t.equal(await echo(), "hello\n");
    t.same(findMarked(mark), []);
  });

  t.test("a jump host is reached through its own ProxyCommand", async (t) => {
    const mark = markProcesses(t);
    const used = join(t.testdir({}), "used");
    const proxy = `ProxyCommand sh -c 'touch ${used}; exec python3 ${relay} %h %p'\n`;
    useConfig(t, `${target}ProxyJump gate\nHost gate\nHostName ${gate.host}\nPort ${gate.port}\n${login}${proxy}`);
    t.equal(await echo(), "hello\n");
    t.ok(existsSync(used));
    t.same(findMarked(mark), []);
  });

  t.test("a process that exits at once leaves none", async (t) => {
    const mark = markProcesses(t);
    const command = `sh -c 'trap "" HUP; python3 ${relay} %h %p; sleep 600'`;
    useConfig(t, `${target}ProxyCommand ${command}\n`);
    const { href } = new URL("../../fleet/connect.js", import.meta.url);
    const program = `
      const { connect } = await import(${JSON.stringify(href)});
      await connect(${JSON.stringify(createNode({ host: "target" }))});
      process.exit(7);`;
    const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      encoding: "utf8",
    });
    t.equal(status, 7, stderr);
    await waitUntil("no process", () => findMarked(mark).length === 0, 20);
  });

  t.test("a command that is killed loses the connection, with the reason", async (t) => {
    const pidFile = join(t.testdir({}), "pid");
    useConfig(t, `${target}ProxyCommand sh -c 'echo $$ >${pidFile}; exec python3 ${relay} %h %p'\n`);
    const connection = await connect(createNode({ host: "target" }));
    process.kill(Number(readFileSync(pidFile, "utf8")), "SIGKILL");
    t.match(await connection.closed, /the ProxyCommand was ended by SIGKILL/);
  });

  t.test("a command that fails is reported with what it printed", async (t) => {
    const mark = markProcesses(t);
    useConfig(t, `${target}ProxyCommand sh -c 'echo proxy: %h is not allowed >&2; exit 7'\n`);
    const error: ConnectionError = await echo().catch((error) => error);
    t.match(error, {
      code: "UNREACHABLE",
      message: new RegExp(`exit code 7: proxy: ${node.host} is not allowed`),
      next: /run it by hand: sh -c/,
    });
    t.same(findMarked(mark), []);
  });

  t.test("the key of a machine that is refused ends the command", async (t) => {
    const mark = markProcesses(t);
    const command = `ProxyCommand python3 ${relay} %h %p\n`;
    useConfig(t, target.replace(lab.knownHosts, "/dev/null") + command);
    await t.rejects(echo(), { code: "HOST_KEY_UNKNOWN", next: /^compare that fingerprint .* ssh \S+@target/ });
    t.same(findMarked(mark), []);
  });
});
