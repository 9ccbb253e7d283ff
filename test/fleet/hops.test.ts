import { homedir, hostname, userInfo } from "node:os";
import { join } from "node:path";
import t from "tap";
import { parseJumpHost, resolveHops } from "../../fleet/ssh/hops.js";
import { parseSettings, SshSettings } from "../../fleet/ssh/sshsettings.js";
import { findProgram } from "../lab/requirements.js";
import { createNode } from "./nodes.js";

const skip = findProgram("ssh") === undefined ? "needs ssh (openssh-client)" : false;

const text = `
Host rig
  HostName 10.1.2.3
  User michael
  Port 2200
  IdentityFile ~/.ssh/rig_%h
  IdentitiesOnly yes
  IdentityAgent /run/agent.%r
  UserKnownHostsFile /a/known_hosts ~/b
  GlobalKnownHostsFile none
  StrictHostKeyChecking accept-new
  HostKeyAlias the-rig
  HashKnownHosts yes
Host far
  ProxyJump gate,ci@mid:2201
Host gate
  HostName gate.example
  Port 2222
  ProxyJump outer
Host mid
  HostName 10.9.9.9
  User nobody-asks
  ProxyJump never-used
Host outer
  StrictHostKeyChecking no
Host circle
  ProxyJump circle2
Host circle2
  ProxyJump circle
Host command
  HostName 10.4.4.4
  ProxyCommand nc -x "proxy  %%" %h %p %r %n %k
Host behind
  ProxyJump command
Host fdpass
  ProxyCommand nc %h %p
  ProxyUseFdpass yes
Match user special
  Port 2299
Host quiet
  IdentityAgent none
`;

t.test("~/.ssh/config applies where the inventory sets nothing", { skip }, async (t) => {
  const file = join(t.testdir({ config: text }), "config");
  const [hop, ...rest] = await resolveHops(createNode({ host: "rig" }), new SshSettings(file));
  t.same(rest, []);
  t.match(hop, {
    alias: "rig",
    host: "10.1.2.3",
    user: "michael",
    port: 2200,
    keyFiles: [join(homedir(), ".ssh/rig_10.1.2.3")],
    isKeyNamed: false,
    usesOnlyKeyFiles: true,
    agentSocket: "/run/agent.michael",
    userKnownHosts: ["/a/known_hosts", join(homedir(), "b")],
    globalKnownHosts: [],
    hostKeyAlias: "the-rig",
    acceptsNewKeys: true,
    hashesNames: true,
  });
});

t.test("keys of the inventory take precedence over ~/.ssh/config", { skip }, async (t) => {
  const file = join(t.testdir({ config: text }), "config");
  const own = { user: "ci", port: 22, identityFile: "~/k", knownHosts: "~/h", hostKeys: "strict" } as const;
  const [hop] = await resolveHops(createNode({ host: "rig", ...own }), new SshSettings(file));
  t.match(hop, { host: "10.1.2.3", user: "ci", port: 22, keyFiles: [join(homedir(), "k")], isKeyNamed: true });
  t.match(hop, { userKnownHosts: [join(homedir(), "h")], acceptsNewKeys: false });
  const [special] = await resolveHops(createNode({ host: "elsewhere", user: "special" }), new SshSettings(file));
  t.equal(special?.port, 2299, "and are what Match sees");
});

t.test("jump hosts are used in the order of the list", { skip }, async (t) => {
  const file = join(t.testdir({ config: text }), "config");
  const hops = await resolveHops(createNode({ host: "far" }), new SshSettings(file));
  t.same(
    hops.map(({ user, host, port }) => [user, host, port]),
    [
      [userInfo().username, "outer", 22],
      [userInfo().username, "gate.example", 2222],
      ["ci", "10.9.9.9", 2201],
      [userInfo().username, "far", 22],
    ],
  );
  t.equal(hops[0]?.acceptsNewKeys, true);
  t.equal(hops[3]?.acceptsNewKeys, false);
});

t.test("ProxyCommand is expanded as ssh does, also that of the first jump host", { skip }, async (t) => {
  const file = join(t.testdir({ config: text }), "config");
  const own = userInfo().username;
  const proxyCommand = `nc -x "proxy  %" 10.4.4.4 22 ${own} command command`;
  const [hop, ...rest] = await resolveHops(createNode({ host: "command" }), new SshSettings(file));
  t.match(hop, { proxyCommand });
  t.same(rest, []);
  const hops = await resolveHops(createNode({ host: "behind" }), new SshSettings(file));
  t.same(
    hops.map((one) => one.proxyCommand),
    [proxyCommand, undefined],
  );
});

t.test("paths are expanded as ssh does", { skip }, async (t) => {
  process.env.MUSTER_TEST_KEYS = "/keys of mine";
  t.teardown(() => delete process.env.MUSTER_TEST_KEYS);
  const home = userInfo().homedir;
  const local = hostname();
  const cases: [line: string, keyFiles: string[]][] = [
    ['IdentityFile "~/a key %h"', [join(home, "a key 10.0.0.7")]],
    ["IdentityFile %d/%n/%k/%p/%r/%u", [`${home}/rig/the-rig/2200/me/${userInfo().username}`]],
    ["IdentityFile /%i/%l/%L/%%h", [`/${userInfo().uid}/${local}/${local.split(".")[0]}/%h`]],
    ["IdentityFile ${MUSTER_TEST_KEYS}/%h", ["/keys of mine/10.0.0.7"]],
    ["IdentityFile /a\nIdentityFile none\nIdentityFile /b", ["/a", "/b"]],
    ["IdentityFile none", []],
  ];
  const resolve = (line: string) => {
    const start = "Host rig\nHostName 10.0.0.7\nHostKeyAlias The-Rig\nPort 2200\nUser me\n";
    const file = join(t.testdir({ config: `${start}${line}\n` }), "config");
    return resolveHops(createNode({ host: "rig" }), new SshSettings(file));
  };
  for (const [line, keyFiles] of cases) t.same((await resolve(line))[0]?.keyFiles, keyFiles, line);
  const rejected: [line: string, message: RegExp][] = [
    ["IdentityFile /%C", /IdentityFile \/%C holds the token %C/],
    ["IdentityFile ~someone/key", /IdentityFile ~someone\/key names another user's home folder/],
    ["IdentityFile ${MUSTER_UNSET}/key", /\$\{MUSTER_UNSET\}, which the environment does not set/],
    ["CertificateFile /%x", /CertificateFile \/%x holds the token %x/],
  ];
  for (const [line, message] of rejected) await t.rejects(resolve(line), { code: "CONFIG", message, next: /\w/ }, line);
});

t.test("an unusable configuration is an error", { skip }, async (t) => {
  const file = join(t.testdir({ config: text, broken: "Host x\n  Nonsense 1\n" }), "config");
  await t.rejects(resolveHops(createNode({ host: "circle" }), new SshSettings(file)), {
    code: "CONFIG",
    message: /cycle/,
  });
  await t.rejects(resolveHops(createNode({ host: "fdpass" }), new SshSettings(file)), {
    code: "CONFIG",
    message: /ProxyUseFdpass yes is not supported/,
    next: /ProxyUseFdpass no/,
  });
  const broken = join(file, "../broken");
  await t.rejects(resolveHops(createNode({ host: "x" }), new SshSettings(broken)), {
    code: "CONFIG",
    message: /nonsense/i,
  });
  const [hop] = await resolveHops(createNode({ host: "-oProxyCommand=touch /tmp/never" }), new SshSettings(file)).catch(
    () => [],
  );
  t.notOk(hop?.host.startsWith("-") && hop.port !== 22, "a host that looks like an option is none");
});

t.test("IdentityAgent none disables the ssh agent", { skip }, async (t) => {
  const file = join(t.testdir({ config: text }), "config");
  const before = process.env.SSH_AUTH_SOCK;
  process.env.SSH_AUTH_SOCK = "/run/mine";
  t.teardown(() => {
    if (before === undefined) delete process.env.SSH_AUTH_SOCK;
    else process.env.SSH_AUTH_SOCK = before;
  });
  t.equal((await resolveHops(createNode({ host: "quiet" }), new SshSettings(file)))[0]?.agentSocket, undefined);
  t.equal((await resolveHops(createNode({ host: "plain" }), new SshSettings(file)))[0]?.agentSocket, "/run/mine");
});

t.test("without an ssh client, defaults apply, unless there is a configuration to read", async (t) => {
  const before = process.env.PATH;
  const folder = t.testdir({ config: "Host rig\nHostKeyAlias other\n" });
  process.env.PATH = folder;
  t.teardown(() => {
    process.env.PATH = before;
  });
  const [hop] = await resolveHops(createNode({ host: "rig", port: 2200 }), new SshSettings(join(folder, "none")));
  t.match(hop, { host: "rig", port: 2200, user: userInfo().username, acceptsNewKeys: false });
  t.match(hop?.userKnownHosts, [join(homedir(), ".ssh/known_hosts")]);
  t.match(hop?.keyFiles[0], /\.ssh\/id_ed25519$/);
  const file = join(folder, "config");
  await t.rejects(resolveHops(createNode({ host: "rig" }), new SshSettings(file)), {
    code: "CONFIG",
    message: new RegExp(`ssh is not installed, and only ssh can read ${file}`),
    next: "install openssh-client",
  });
});

t.test("a jump host can be written in several ways", async (t) => {
  const cases: [string, object][] = [
    ["gate", { alias: "gate" }],
    ["me@gate:2222", { user: "me", alias: "gate", port: 2222 }],
    ["ssh://me@gate:2222", { user: "me", alias: "gate", port: 2222 }],
    ["ssh://gate/", { alias: "gate" }],
    ["[fe80::1]:22", { alias: "fe80::1", port: 22 }],
    ["me@[fe80::1]", { user: "me", alias: "fe80::1" }],
    ["me@realm@gate", { user: "me@realm", alias: "gate" }],
    ["10.0.0.1:22", { alias: "10.0.0.1", port: 22 }],
  ];
  for (const [text, name] of cases) t.match(parseJumpHost(text), { user: undefined, port: undefined, ...name }, text);
});

t.test("all values of a repeated ssh setting are read", async (t) => {
  const settings = parseSettings("identityfile ~/a b\nidentityfile ~/c\nport 22\n\nodd\n");
  t.same(settings.get("identityfile"), ["~/a b", "~/c"]);
  t.same(settings.get("port"), ["22"]);
  t.equal(settings.get("odd"), undefined);
  const old = parseSettings("pubkeyacceptedkeytypes ssh-ed25519\nrsaminsize 2048\n");
  t.same([old.get("pubkeyacceptedalgorithms"), old.get("requiredrsasize")], [["ssh-ed25519"], ["2048"]]);
});

t.test("a machine behind another is reached through it, unless ~/.ssh/config says how", { skip }, async (t) => {
  const file = join(t.testdir({ config: text }), "config");
  const via = createNode({ host: "far", user: "me" });
  const hostsOf = async (host: string) =>
    (await resolveHops(createNode({ host, via }), new SshSettings(file))).map((hop) => hop.host);
  t.same(await hostsOf("node17"), ["outer", "gate.example", "10.9.9.9", "far", "node17"]);
  t.same(await hostsOf("behind"), ["10.4.4.4", "behind"], "its own ProxyJump");
  t.same(await hostsOf("command"), ["10.4.4.4"], "its own ProxyCommand");
});
