import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import { projectRoot } from "../lab/project.js";
import { AgentAttachment, AgentFolder, attachAgent, stopAgent } from "./agentdriver.js";

t.setTimeout(600_000);

const OTHER = 4242;
const needsRoot = process.getuid?.() !== 0 && "needs root: files of another user";

/** A run folder below a new folder `place`. Both are removed after the test, with an agent that may have started there. */
function folderIn(t: Test): { place: string; folder: AgentFolder } {
  const base = mkdtempSync(join(realpathSync(tmpdir()), "access-"));
  const folder = new AgentFolder(join(base, "place", "work"));
  t.teardown(async () => {
    chmodSync(join(base, "place"), 0o755);
    await stopAgent(folder);
    rmSync(base, { recursive: true, force: true });
  });
  return { place: join(base, "place"), folder };
}

/** The refusal of attach; undefined where it attaches. */
async function refusal(folder: AgentFolder): Promise<{ reason: string; next: string } | undefined> {
  const attachment = new AgentAttachment(folder);
  const hello = attachment.open().then(
    () => undefined,
    () => undefined,
  );
  const code = await Promise.race([hello, attachment.waitForExit()]);
  if (code === undefined) {
    await attachment.disconnect();
    return undefined;
  }
  if (code !== 77) throw new Error(`exit ${code}: ${attachment.stderr}`);
  return JSON.parse(attachment.stderr.slice("muster-refused ".length));
}

const places: [name: string, change: (place: string, folder: AgentFolder) => void, reason: RegExp | undefined][] = [
  ["as usual", () => {}, undefined],
  ["writable by everyone", (place) => chmodSync(place, 0o777), /place is writable by everyone and has no sticky bit/],
  ["writable by everyone, with the sticky bit", (place) => chmodSync(place, 0o1777), undefined],
  [
    "a run's folder that is writable by everyone, with the sticky bit",
    (_, { root }) => chmodSync(root, 0o1777),
    /r1 is writable by everyone: others could replace/,
  ],
];

t.test("attach refuses a run folder that others could replace, and says who and what to do", async (t) => {
  for (const [name, change, reason] of places)
    await t.test(name, async (t) => {
      const { place, folder } = folderIn(t);
      change(place, folder);
      const refused = await refusal(folder);
      if (reason === undefined) return t.equal(refused, undefined);
      t.match(refused?.reason, reason);
      t.match(refused?.next, /run `chmod o-w .*(place|r1)`; or set another `workdir`/);
      t.notOk(existsSync(join(folder.root, "agent.log")), "no agent was started");
    });
});

const foreign: [name: string, change: (place: string, folder: AgentFolder) => void, reason: RegExp][] = [
  [
    "a folder above belongs to another user",
    (place) => chownSync(place, OTHER, OTHER),
    /place belongs to uid 4242: others could replace/,
  ],
  [
    "a folder above is writable by a group of others",
    (place) => {
      chownSync(place, 0, 1);
      chmodSync(place, 0o775);
    },
    /place is writable by group \w+ and has no sticky bit/,
  ],
  [
    "a run's folder that another user made",
    (_, { root }) => chownSync(root, OTHER, OTHER),
    /r1 belongs to uid 4242: others could replace/,
  ],
  [
    "a socket that another user made",
    (_, { root }) => {
      execFileSync("python3", ["-c", "import socket, sys; socket.socket(socket.AF_UNIX).bind('agent.sock')"], {
        cwd: root,
      });
      chownSync(join(root, "agent.sock"), OTHER, OTHER);
    },
    /the agent's socket .*agent\.sock belongs to uid 4242/,
  ],
  [
    "a socket that others may write to",
    (_, { root }) =>
      execFileSync(
        "python3",
        ["-c", "import os, socket; os.umask(0); socket.socket(socket.AF_UNIX).bind('agent.sock')"],
        {
          cwd: root,
        },
      ),
    /the agent's socket .*agent\.sock is writable by everyone/,
  ],
];

t.test("attach refuses what belongs to another user", { skip: needsRoot }, async (t) => {
  for (const [name, change, reason] of foreign)
    await t.test(name, async (t) => {
      const { place, folder } = folderIn(t);
      t.teardown(() => rmSync(join(folder.root, "agent.sock"), { force: true }));
      change(place, folder);
      t.match((await refusal(folder))?.reason, reason);
      rmSync(join(folder.root, "agent.sock"), { force: true });
    });
});

t.test("attach follows links in the path, unless they belong to another user", { skip: needsRoot }, async (t) => {
  const { place, folder } = folderIn(t);
  const link = join(dirname(place), "link");
  symlinkSync("place/work", link);
  const beyond = Object.assign(Object.create(AgentFolder.prototype), { root: join(link, "runs", "r1") }) as AgentFolder;
  t.equal(await refusal(beyond), undefined);
  await stopAgent(folder);
  mkdirSync(folder.root, { recursive: true });
  chmodSync(place, 0o777);
  t.match((await refusal(beyond))?.reason, /place is writable by everyone/);
  chmodSync(place, 0o755);
  execFileSync("chown", ["-h", `${OTHER}`, link]);
  t.match((await refusal(beyond))?.reason, /link belongs to uid 4242/);
});

/** Binds a socket as this user and listens as another: the kernel tells clients who listens. */
const SERVE = `import os, socket, sys, time
listener = socket.socket(socket.AF_UNIX)
os.umask(0o177)
listener.bind("agent.sock")
os.setuid(int(sys.argv[1]))
listener.listen()
print("listens", flush=True)
time.sleep(600)
`;

t.test("attach refuses a daemon of another user", { skip: needsRoot }, async (t) => {
  const { folder } = folderIn(t);
  const server = spawn("python3", ["-c", SERVE, `${OTHER}`], { cwd: folder.root });
  await once(server.stdout, "data");
  t.match((await refusal(folder))?.reason, `agent.sock is served by uid 4242, pid ${server.pid}`);
  server.kill();
  await once(server, "close");
  rmSync(join(folder.root, "agent.sock"));
});

/**
 * Attaches as `attach` does, but without any check, as a coordinator that does not own the agent. Prints the reply; an empty line
 * where the daemon closes the connection.
 */
const ATTACH_UNCHECKED = `import array, os, socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect(sys.argv[1])
(theirs, ours), (mine, output) = os.pipe(), os.pipe()
os.write(ours, b'{"op":"open","nonces":[]}\\n')
try:
    line.sendmsg([b"attach"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs, output]))])
except BrokenPipeError:
    pass  # the agent has closed the connection already
os.close(output)
print(os.read(mine, 4096).decode().partition("\\n")[0], flush=True)
`;

async function attachAs(socket: string, uid: number): Promise<string> {
  const child: ChildProcess = spawn("python3", ["-c", ATTACH_UNCHECKED, socket], {
    uid,
    gid: uid,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout!.on("data", (bytes) => {
    output += bytes;
  });
  await once(child, "close");
  return output.trim();
}

t.test("the agent closes connections of other users", { skip: needsRoot }, async (t) => {
  const { folder, attachment } = await attachAgent(t);
  const socket = join(folder.root, "agent.sock");
  t.equal(execFileSync("stat", ["-c", "%a", socket], { encoding: "utf8" }), "600\n");
  // Disables every other protection.
  for (const path of [join(folder.root, "..", ".."), socket]) chmodSync(path, 0o777);
  t.equal(await attachAs(socket, OTHER), "");
  attachment.send({ op: "ping" });
  await attachment.waitFor((one) => one.ev === "pong");
  t.match(await attachAs(socket, 0), /^\{"ev":"refused"/, "the same user gets an answer");
  chmodSync(join(folder.root, "..", ".."), 0o700);
  chmodSync(socket, 0o600);
});

/** Calls is_private_group() with made-up users and groups. */
const GROUPS = `import sys, types
users = {1000: "ann", 1001: "bob", 0: "root"}
primary = {"ann": 1000, "bob": 1001, "root": 0}
groups = {1000: ("ann", []), 1001: ("bob", ["ann"]), 2000: ("team", ["ann"]), 2001: ("pair", ["ann", "bob"]), 100: ("users", []),
    2002: ("shared", ["root", "ann"])}
user = lambda name: types.SimpleNamespace(pw_name=name, pw_gid=primary[name])
group = lambda name, members: types.SimpleNamespace(gr_name=name, gr_mem=members)
sys.modules["pwd"] = types.SimpleNamespace(getpwuid=lambda uid: user(users[uid]), getpwall=lambda: [user(name) for name in primary])
sys.modules["grp"] = types.SimpleNamespace(getgrgid=lambda gid: group(*groups[gid]))
import path_access
print([path_access.is_private_group(gid, uid) for gid, uid in eval(sys.argv[1])])
`;

t.test("a group with only the user in it does not count as others", (t) => {
  const table: [gid: number, uid: number, isPrivate: boolean, why: string][] = [
    [1000, 1000, true, "the user's private group, as Debian makes it"],
    [1001, 1001, false, "another user's private group, which has a second member"],
    [1001, 1000, false, "another user has it as the primary group"],
    [2000, 1000, true, "the user alone is listed"],
    [2001, 1000, false, "two are listed"],
    [2002, 1000, true, "root is not others"],
    [100, 1000, false, "it looks empty, but a directory service need not list who has it as the primary group"],
    [0, 1000, true, "root's group"],
    [7777, 7777, true, "neither the user nor the group has a name"],
    [7777, 1000, false, "a group without a name"],
  ];
  const pairs = JSON.stringify(table.map(([gid, uid]) => [gid, uid]));
  const env = {
    ...process.env,
    PYTHONPATH: join(projectRoot(), "templates/muster_agent/access"),
    PYTHONDONTWRITEBYTECODE: "1",
  };
  const output = execFileSync("python3", ["-c", GROUPS, pairs], { encoding: "utf8", env });
  const answers = output.match(/True|False/g)!.map((word) => word === "True");
  for (const [index, [, , isPrivate, why]] of table.entries()) t.equal(answers[index], isPrivate, why);
  t.end();
});
