/**
 * The process that owns a lab: holds its address block and its disks, is the parent of its nodes, and takes all of it down
 * when its stdin closes, which also happens when the test that started it dies. Runs in a mount namespace of its own
 * (root), so that no mount is ever seen outside. One JSON request a line in, one answer a line out.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { createInterface } from "node:readline";
import { removeCgroup, removeOrphanedCgroups } from "./labcgroups.js";
import { awaitSshd, isPortFree, readFirstLine } from "./ports.js";
import { killMarked } from "./processes.js";
import type { FromSupervisor, StartNode, ToSupervisor } from "./supervisorprotocol.js";

const [folder, kind] = process.argv.slice(2) as [string, "machines" | "plain"];
const children = new Map<string, ChildProcess>();
const inits = new WeakMap<ChildProcess, number>();
/** By node. */
const cgroups = new Map<string, string>();
let table: string | undefined;
let mounted = false;
let ending = false;

/** Abstract sockets vanish with their holder, so a block can be claimed without a file that could grow stale. */
function hold(name: string): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(`\0${name}`, () => resolve(server));
  });
}

async function claimBlock(): Promise<number> {
  for (let block = 1; block <= 250; block++) {
    if (await hold(`muster-lab-${block}`)) return block;
  }
  throw new Error("all 250 address blocks of the lab are taken");
}

function makeTable(block: number): string {
  const name = `muster_lab_${block}`;
  // Declaring it first makes the delete succeed: a lab killed with SIGKILL may have left one behind.
  const rules = `table inet ${name} {}
delete table inet ${name}
table inet ${name} {
  set cut { type ipv4_addr; }
  chain input { type filter hook input priority 0; ip daddr @cut drop; ip saddr @cut drop; }
}`;
  execFileSync("nft", ["-f", "-"], { input: rules });
  return name;
}

async function startNode(node: StartNode): Promise<number> {
  // pdeathsig: should this process be killed outright, no node outlives it.
  const child = spawn("setpriv", ["--pdeathsig", "KILL", ...node.argv], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH, ...node.env },
  });
  children.set(node.name, child);
  if (node.env.NODE_CGROUP !== undefined) cgroups.set(node.name, node.env.NODE_CGROUP);
  child.once("exit", () => {
    if (children.get(node.name) === child) children.delete(node.name);
  });
  const pid = kind === "machines" ? Number((await readFirstLine(child)).replace("up ", "")) : child.pid!;
  inits.set(child, pid);
  await awaitSshd(pid, () => children.get(node.name) !== child);
  return pid;
}

/** Kills whatever the node runs and resolves once nothing of it is left. */
async function killNode(name: string): Promise<void> {
  const child = children.get(name);
  if (kind === "plain") killMarked(`MUSTER_LAB_NODE=${folder}/${name}`);
  if (child === undefined) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  // The init first: its parent ends only when the kernel has emptied the whole namespace.
  const init = inits.get(child);
  if (init === undefined) child.kill("SIGKILL");
  else process.kill(init, "SIGKILL");
  await gone;
  const cgroup = cgroups.get(name);
  if (cgroup !== undefined) removeCgroup(cgroup);
}

function isBusy(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "EBUSY";
}

async function answer(request: ToSupervisor): Promise<FromSupervisor> {
  try {
    switch (request.op) {
      case "start":
        return { id: request.id, pid: await startNode(request.node) };
      case "kill":
        await killNode(request.name);
        return { id: request.id };
    }
  } catch (error) {
    return { id: request.id, error: String(error) };
  }
}

function say(message: FromSupervisor): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

async function takeDown(): Promise<void> {
  if (ending) return;
  ending = true;
  const ends = await Promise.allSettled([...children.keys()].map(killNode));
  // A cgroup that was busy is tried again below.
  const wrong: unknown[] = ends.flatMap((end) =>
    end.status === "rejected" && !isBusy(end.reason) ? [end.reason] : [],
  );
  const attempt = (step: () => void) => {
    try {
      step();
    } catch (error) {
      wrong.push(error);
    }
  };
  // Also of nodes whose init has ended by itself.
  for (const cgroup of cgroups.values()) attempt(() => removeCgroup(cgroup));
  if (table !== undefined) attempt(() => execFileSync("nft", ["delete", "table", "inet", table!]));
  if (mounted) attempt(() => execFileSync("umount", ["-l", `${folder}/disks`]));
  attempt(() => rmSync(folder, { recursive: true, force: true }));
  for (const error of wrong) console.error(String(error));
  process.exit(wrong.length === 0 ? 0 : 1);
}

async function main(): Promise<void> {
  process.on("SIGTERM", () => void takeDown());
  process.on("SIGINT", () => void takeDown());
  process.stdout.on("error", () => undefined);
  process.stderr.on("error", () => undefined);
  const block = await claimBlock();
  if (kind === "machines") {
    removeOrphanedCgroups();
    execFileSync("mount", ["-t", "tmpfs", "-o", "mode=755", "tmpfs", `${folder}/disks`]);
    mounted = true;
    table = makeTable(block);
  }
  const lines = createInterface({ input: process.stdin });
  lines.on("line", async (line) => say(await answer(JSON.parse(line) as ToSupervisor)));
  lines.on("close", () => void takeDown());
  // A test that dies with an unread answer in its pipe resets it: an error, which readline hands on, and no end.
  lines.on("error", () => void takeDown());
  const address = `127.0.${block}.1`;
  say({ id: 0, block, table, port22: kind === "machines" && (await isPortFree(address, 22)) });
}

try {
  await main();
} catch (error) {
  console.error(String(error));
  await takeDown();
}
