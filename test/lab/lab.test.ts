import { execFile, execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import t, { type Test } from "tap";
import { type Lab, type LabNode, lacking, startLab } from "./lab.js";
import { DelayingProxy } from "./proxy.js";
import { waitUntil } from "./waituntil.js";

function ssh(lab: Lab, node: LabNode, command: string, more: string[] = []): string {
  return execFileSync("ssh", [...more, ...lab.sshWords(node), command], { encoding: "utf8", stdio: "pipe" }).trim();
}

/** How a TCP connection attempt ends within a second. */
function dial(host: string, port: number): Promise<"connected" | "refused" | "silence"> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (how: "connected" | "refused" | "silence") => {
      socket.destroy();
      resolve(how);
    };
    socket.once("connect", () => settle("connected"));
    socket.once("error", () => settle("refused"));
    socket.setTimeout(1000, () => settle("silence"));
  });
}

function mounts(): string[] {
  return readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .filter((line) => line.includes("muster-lab"));
}

const skip = lacking();
if (skip) t.pass("no lab", { skip });
else await tests();

async function tests(): Promise<void> {
  await t.test("nodes are reached by the real ssh, under the keys of known_hosts", async (t) => {
    const lab = await startLab({ nodes: 2, vendor: "amd", gpus: 3 });
    t.teardown(() => lab.stop());
    for (const node of lab.nodes) t.equal(ssh(lab, node, "echo hello"), "hello");
    const [first, second] = lab.nodes as [LabNode, LabNode];
    t.not(first.hostKey, second.hostKey, "each has a host key of its own");
    t.match(
      ssh(lab, first, "PATH=$PATH:/opt/rocm/bin rocm-smi --showbus --json"),
      /"card2": \{"PCI Bus": "0000:09:00\.0"/,
    );
    first.setGpus({ sick: [1] });
    t.match(
      ssh(lab, first, "PATH=$PATH:/opt/rocm/bin rocm-smi -p --json"),
      /"card1": \{"Performance Level": "unknown"/,
    );
    t.match(
      readFileSync(lab.inventory(), "utf8"),
      new RegExp(`node2:\n    host: ${second.host.replaceAll(".", "\\.")}`),
    );
  });

  await t.test("a new host key is refused where the old one is known", async (t) => {
    const lab = await startLab({ nodes: 1 });
    t.teardown(() => lab.stop());
    const node = lab.nodes[0]!;
    await node.rekey();
    t.throws(() => ssh(lab, node, "true"), /HOST IDENTIFICATION HAS CHANGED/);
    writeFileSync(lab.knownHosts, `${node.knownHostsLine}\n`);
    t.equal(ssh(lab, node, "echo known"), "known");
  });

  await t.test("each lab node is a separate machine", { skip: lacking("machines of their own") }, ownMachines);
  await t.test("a node can be power-cycled", { skip: lacking("power cycle") }, powerCycle);
  await t.test("a node can be cut off and reconnected", { skip: lacking("cutting nodes off") }, cutOff);
  await t.test("a login as another user works despite a banner", { skip: lacking("users") }, otherUser);
  await t.test("sshd can be restarted and its connections dropped", { skip: lacking("processes") }, restarts);

  await t.test("stopping the lab leaves nothing behind", leavesNothing);
  await t.test("the death of the test stops its lab", deathLeavesNothing);
  await t.test("the proxy delays, resets and stalls", proxied);
}

async function ownMachines(t: Test): Promise<void> {
  const lab = await startLab({
    nodes: ["alpha", "beta"],
    vendor: "amd",
    kernel: { "amdgpu.ppfeaturemask": "0xffffffff" },
  });
  t.teardown(() => lab.stop());
  const [alpha, beta] = lab.nodes as [LabNode, LabNode];
  t.equal(ssh(lab, alpha, "hostname"), "alpha");
  t.equal(ssh(lab, beta, "hostname"), "beta");
  const boots = lab.nodes.map((node) => ssh(lab, node, "cat /proc/sys/kernel/random/boot_id"));
  t.same(boots, [alpha.bootId, beta.bootId]);
  t.not(boots[0], boots[1]);
  t.equal(ssh(lab, alpha, "cat /sys/module/amdgpu/parameters/ppfeaturemask"), "0xffffffff");
  t.equal(ssh(lab, alpha, "touch /root/mine /etc/mine /dev/shm/mine; ls -A /root"), "mine");
  t.equal(ssh(lab, beta, "ls /root /etc/mine /dev/shm 2>/dev/null || true"), "/dev/shm:\n\n/root:");
  t.notOk(existsSync("/etc/mine") || existsSync("/dev/shm/mine"), "nor does the coordinator see it");
  t.equal(
    ssh(lab, alpha, `ls -A ${process.cwd()} 2>/dev/null || true`),
    "",
    "the node does not see the coordinator's project",
  );
  t.ok(existsSync(join(alpha.root, "dev/shm/mine")), "the test can look inside");
  t.equal((await alpha.exec(["hostname"])).stdout, "alpha\n");
  t.same(await alpha.quiet(20), [], "nothing runs there but init and sshd");
  ssh(lab, alpha, "setsid sleep 1000 </dev/null >/dev/null 2>&1 &");
  t.match(await alpha.quiet(0.2), [{ argv: ["sleep", "1000"] }]);
}

async function powerCycle(t: Test): Promise<void> {
  const lab = await startLab({ nodes: 1 });
  t.teardown(() => lab.stop());
  const node = lab.nodes[0]!;
  ssh(
    lab,
    node,
    "touch /etc/kept ~/kept /dev/shm/lost /run/lost /tmp/lost; setsid sleep 1000 </dev/null >/dev/null 2>&1 &",
  );
  const before = node.bootId;
  await node.powerCycle();
  t.not(node.bootId, before);
  t.equal(ssh(lab, node, "cat /proc/sys/kernel/random/boot_id"), node.bootId);
  t.equal(ssh(lab, node, "ls /etc/kept ~/kept"), "/etc/kept\n/root/kept");
  t.equal(ssh(lab, node, "ls -d /dev/shm/lost /run/lost /tmp/lost 2>/dev/null || true"), "");
  t.same(await node.quiet(20), [], "what ran before is gone");
  ssh(lab, node, "echo options amdgpu ppfeaturemask=0x1 > /etc/modprobe.d/amdgpu.conf");
  await node.powerCycle();
  const mask = "/sys/module/amdgpu/parameters/ppfeaturemask";
  t.equal(ssh(lab, node, `cat ${mask}`), "0x1", "what the disk asks of the kernel holds from the next boot");
  ssh(lab, node, `echo 'GRUB_CMDLINE_LINUX_DEFAULT="quiet amdgpu.ppfeaturemask=0xffff7fff"' > /etc/default/grub`);
  t.equal(ssh(lab, node, `cat ${mask}`), "0x1");
  await node.powerOff();
  t.equal(await dial(node.host, node.port), "silence", "a machine without power refuses nothing");
  t.ok(existsSync(join(node.root, "etc/kept")), "its disk can be read meanwhile");
  await node.powerOn();
  t.equal(ssh(lab, node, `cat ${mask}`), "0xffff7fff");
  t.match(ssh(lab, node, "cat /proc/cmdline"), / quiet amdgpu\.ppfeaturemask=0xffff7fff/);
}

async function cutOff(t: Test): Promise<void> {
  const lab = await startLab({ nodes: 2 });
  t.teardown(() => lab.stop());
  const [first, second] = lab.nodes as [LabNode, LabNode];
  await first.cutOff();
  t.equal(await dial(first.host, first.port), "silence");
  t.equal(await dial(second.host, second.port), "connected");
  await first.heal();
  await first.heal();
  t.equal(ssh(lab, first, "echo healed"), "healed");
}

async function otherUser(t: Test): Promise<void> {
  const lab = await startLab({ nodes: 1, user: "rig", loginShell: "/bin/sh", banner: "Welcome to the mine" });
  t.teardown(() => lab.stop());
  const node = lab.nodes[0]!;
  t.equal(ssh(lab, node, "id -un; pwd; echo $0"), "rig\n/home/rig\nsh");
}

async function restarts(t: Test): Promise<void> {
  const lab = await startLab({ nodes: 1 });
  t.teardown(() => lab.stop());
  const node = lab.nodes[0]!;
  ssh(lab, node, "true", ["-f", "-N", "-M", "-o", `ControlPath=${lab.folder}/mux`, "-o", "ControlPersist=yes"]);
  await node.restartSshd({ MaxSessions: 1 });
  t.ok(existsSync(`${lab.folder}/mux`), "connections stand over a restart");
  await node.dropConnections();
  t.same(await node.quiet(20), []);
  t.equal(ssh(lab, node, "grep MaxSessions /etc/ssh/sshd_config"), "MaxSessions 1");
}

async function leavesNothing(t: Test): Promise<void> {
  const lab = await startLab({ nodes: 2 });
  const { folder } = lab;
  const hosts = lab.nodes.map(({ host, port }) => ({ host, port }));
  const inits = lab.nodes.map(({ pid }) => pid);
  ssh(lab, lab.nodes[0]!, "setsid sleep 1000 </dev/null >/dev/null 2>&1 &");
  t.same(mounts(), [], "its mounts are seen by nobody else");
  await lab.stop();
  t.same(mounts(), []);
  t.notOk(existsSync(folder), "no file");
  for (const pid of inits) t.notOk(existsSync(`/proc/${pid}`), "no process");
  for (const { host, port } of hosts)
    t.equal(await dial(host, port), "refused", "no rule of nft drops packets any more");
}

async function deathLeavesNothing(t: Test): Promise<void> {
  const lines = `
    import { startLab } from ${JSON.stringify(new URL("lab.js", import.meta.url).href)};
    const lab = await startLab({ nodes: 1 });
    const init = lab.nodes[0].pid;
    console.log(JSON.stringify({ folder: lab.folder, init }));
    process.kill(process.pid, "SIGKILL");`;
  const dying = spawnSync(process.execPath, ["--input-type=module", "-e", lines], { encoding: "utf8" });
  const { folder, init } = JSON.parse(dying.stdout) as { folder: string; init: number };
  await waitUntil("all of it is gone", () => !existsSync(folder) && !existsSync(`/proc/${init}`));
  t.notOk(existsSync(folder), "the folder is gone");
  t.notOk(existsSync(`/proc/${init}`), "the node is gone");
}

async function proxied(t: Test): Promise<void> {
  const lab = await startLab({ nodes: 1 });
  t.teardown(() => lab.stop());
  const node = lab.nodes[0]!;
  const proxy = await DelayingProxy.start(node, 30);
  t.teardown(() => proxy.stop());
  const started = performance.now();
  const far = await sshThrough(lab, node, proxy, "echo far");
  t.equal(far.out, "far\n", far.err);
  t.ok(performance.now() - started > 5 * 60, "several round trips of 60 ms went by");
  await waitUntil("the connection is dropped", () => proxy.connections === 0);
  const cut = sshThrough(lab, node, proxy, "sleep 1000");
  await waitUntil("there is one again", () => proxy.connections === 1);
  proxy.reset();
  t.match((await cut).err, /reset|closed/i);
  proxy.stall();
  const socket = connect({ host: proxy.host, port: proxy.port });
  let heard = "";
  socket.on("data", (piece) => {
    heard += piece;
  });
  await wait(200);
  t.equal(heard, "", "a stalled proxy passes nothing on");
  proxy.resume();
  await waitUntil("the banner is heard", () => heard !== "");
  t.match(heard, /^SSH-2\.0-/);
  socket.destroy();
}

function sshThrough(lab: Lab, node: LabNode, proxy: DelayingProxy, command: string) {
  const known = node.port === 22 ? node.host : `[${node.host}]:${node.port}`;
  const words = [
    "-o",
    `HostKeyAlias=${known}`,
    ...lab.sshWords({ ...node, host: proxy.host, port: proxy.port }),
    command,
  ];
  return new Promise<{ out: string; err: string }>((resolve) => {
    execFile("ssh", words, (_error, out, err) => resolve({ out, err }));
  });
}
