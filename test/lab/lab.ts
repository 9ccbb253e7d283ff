import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { cgroupOfNode } from "./labcgroups.js";
import { type InventoryChange, writeInventory } from "./labinventory.js";
import { LabNode, type NodePlace } from "./labnode.js";
import { type LabOptions, type LabPlan, planLab } from "./labplan.js";
import { collectTools, listHiddenFolders, planGpus, prepareDisk, prepareHome } from "./nodedisk.js";
import { findFreePort } from "./ports.js";
import { projectRoot } from "./project.js";
import { findProgram, type LabKind, LabUnsupportedError, labAvailable } from "./requirements.js";
import { makeKey, type SshdOptions, sshdConfig } from "./sshd.js";
import { SupervisorClient } from "./supervisorclient.js";

export type { InventoryChange } from "./labinventory.js";
export type { LabNode } from "./labnode.js";
export type { LabOptions } from "./labplan.js";
export { LabUnsupportedError, labAvailable, labKind, lacking, wholeMachines } from "./requirements.js";

/** Where the home of all nodes is, in the lab's folder. */
const SHARED_HOME = "disks/.home";

/** Nodes on this machine, each with a real sshd. Everything of it is gone after `stop`, or when this process ends. */
export class Lab {
  constructor(
    /** A temporary folder for the test's own files too. */
    readonly folder: string,
    readonly kind: LabKind,
    readonly nodes: LabNode[],
    private readonly plan: LabPlan,
    private readonly supervisor: SupervisorClient,
  ) {}

  get knownHosts(): string {
    return join(this.folder, "known_hosts");
  }

  /** Writes an inventory of the lab's nodes and returns its path. */
  inventory(change: InventoryChange = {}): string {
    const path = join(this.folder, change.file ?? "inventory.yaml");
    writeInventory(path, this.plan, this.nodes, change);
    return path;
  }

  /** Words after `ssh` that reach a node with nothing of the user's own configuration. */
  sshWords(node: Pick<LabNode, "host" | "port" | "user" | "identityFile">): string[] {
    const options = [
      "BatchMode=yes",
      "IdentitiesOnly=yes",
      `UserKnownHostsFile=${this.knownHosts}`,
      "ConnectTimeout=5",
    ];
    const words = options.flatMap((option) => ["-o", option]);
    return ["-F", "none", ...words, "-i", node.identityFile, "-p", String(node.port), `${node.user}@${node.host}`];
  }

  async stop(): Promise<void> {
    await this.supervisor.stop();
  }
}

/**
 * Starts a lab. Rejects with a LabUnsupportedError when this machine lacks what it needs (ask `labAvailable()` first to skip), or
 * when an option needs root.
 */
export async function startLab(options: LabOptions): Promise<Lab> {
  const available = labAvailable();
  if (!available.ok) throw new LabUnsupportedError("MISSING_PROGRAM", available.missing);
  const plan = planLab(options, userInfo().username);
  if (available.kind === "plain") refuseWithoutRoot(options, plan);
  const folder = mkdtempSync(join(tmpdir(), "muster-lab-"));
  for (const part of ["disks", "ssh"]) mkdirSync(join(folder, part));
  const supervisor = SupervisorClient.start(folder, available.kind);
  try {
    const { block, table, port22 } = await supervisor.greeting;
    const clientKey = await makeKey(join(folder, "ssh/client"), "lab");
    writeFileSync(join(folder, "known_hosts"), "");
    if (plan.sharedHome) prepareHome(join(`/proc/${supervisor.pid}/root`, folder, SHARED_HOME), plan);
    const places = await Promise.all(
      plan.names.map((name, index) => {
        const where = { name, host: available.kind === "machines" ? `127.0.${block}.${index + 1}` : "127.0.0.1" };
        const common = { folder, plan, supervisor, table, clientKey, port22: port22 ?? false };
        return available.kind === "machines"
          ? setUpMachine({ ...common, ...where })
          : setUpPlainSshd({ ...common, ...where });
      }),
    );
    const nodes = places.map((place) => new LabNode(place, planGpus(plan)));
    await Promise.all(nodes.map((node) => node.create()));
    return new Lab(folder, available.kind, nodes, plan, supervisor);
  } catch (error) {
    await supervisor.stop().catch(() => undefined);
    throw error;
  }
}

function refuseWithoutRoot(options: LabOptions, plan: LabPlan): void {
  if (options.loginShell !== undefined) throw new LabUnsupportedError("NEEDS_ROOT", "needs root: another login shell");
  if (plan.sharedHome) throw new LabUnsupportedError("NEEDS_ROOT", "needs root: a home that all nodes share");
  if (plan.user !== userInfo().username)
    throw new LabUnsupportedError("NEEDS_ROOT", `needs root: logging in as ${plan.user}`);
}

interface NodeSetup {
  folder: string;
  name: string;
  host: string;
  plan: LabPlan;
  supervisor: SupervisorClient;
  table: string | undefined;
  clientKey: string;
  port22: boolean;
}

/** What machines and plain sshds have in common. */
function commonPlace(
  spot: NodeSetup,
): Pick<NodePlace, "name" | "host" | "user" | "identityFile" | "supervisor" | "table" | "knownHostsFile"> {
  const { name, host, supervisor, table, plan } = spot;
  const identityFile = join(spot.folder, "ssh/client");
  return {
    name,
    host,
    user: plan.user,
    identityFile,
    supervisor,
    table,
    knownHostsFile: join(spot.folder, "known_hosts"),
  };
}

async function setUpMachine(spot: NodeSetup): Promise<NodePlace> {
  const { plan } = spot;
  // The disk lies on a tmpfs that only the supervisor's mount namespace has.
  const inside = join(spot.folder, "disks", spot.name);
  const disk = `/proc/${spot.supervisor.pid}/root${inside}`;
  const port = spot.port22 ? 22 : await findFreePort(spot.host);
  const sshFiles = join(disk, "upper/etc/ssh");
  const banner: SshdOptions = plan.banner === undefined ? {} : { Banner: "/etc/ssh/banner" };
  const config = (options: SshdOptions) => {
    const directives = { ...banner, ...plan.sshd, ...options };
    return sshdConfig({ host: spot.host, port, files: "/etc/ssh", sftp: "internal-sftp", options: directives });
  };
  const install = () => {
    for (const part of ["upper", "work", "home", "units"]) rmSync(join(disk, part), { recursive: true, force: true });
    prepareDisk(join(disk, "upper"), join(disk, "home"), plan);
    writeFileSync(join(sshFiles, "authorized_keys"), `${spot.clientKey}\n`);
    writeFileSync(join(sshFiles, "sshd_config"), config({}));
  };
  install();
  const start = (bootId: string, cards: string) => ({
    argv: ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "bash", bootProgram()],
    env: {
      NODE_DISK: inside,
      NODE_NAME: spot.name,
      NODE_BOOT_ID: bootId,
      NODE_HIDE: listHiddenFolders().join("\n"),
      NODE_KERNEL: Object.entries(plan.kernel)
        .map(([name, value]) => `${name.replace(".", "/")} ${value}`)
        .join("\n"),
      NODE_CARDS: cards,
      ...(plan.sharedHome ? { NODE_SHARED_HOME: join(spot.folder, SHARED_HOME) } : {}),
      ...(plan.systemd ? { NODE_CGROUP: cgroupOfNode(spot.folder, spot.name) } : {}),
    },
  });
  return {
    ...commonPlace(spot),
    kind: "machines",
    port,
    disk,
    folder: inside,
    sshFiles,
    workdir: "~/.muster",
    config,
    install,
    start,
  };
}

/** A sshd that runs as the user: no system of its own, identified by its port. */
async function setUpPlainSshd(spot: NodeSetup): Promise<NodePlace> {
  const { plan } = spot;
  const folder = join(spot.folder, spot.name);
  mkdirSync(join(folder, "work"), { recursive: true });
  const port = await findFreePort(spot.host);
  writeFileSync(join(folder, "authorized_keys"), `${spot.clientKey}\n`);
  writeFileSync(join(folder, "banner"), `${plan.banner ?? ""}\n`);
  if (plan.smi !== "none") collectTools(join(folder, "bin"), plan.smi);
  const path = `${folder}/bin:/usr/local/bin:/usr/bin:/bin`;
  const locks = `MUSTER_LOCK_FOLDER=${folder}/locks`;
  const marks = `PATH=${path} LAB_GPUS=${folder}/gpus.json MUSTER_LAB_NODE=${folder} ${locks}`;
  const always: SshdOptions = { SetEnv: marks, ...(plan.banner === undefined ? {} : { Banner: `${folder}/banner` }) };
  const config = (options: SshdOptions) => {
    const directives = { ...always, ...plan.sshd, ...options };
    return sshdConfig({ host: spot.host, port, files: folder, sftp: "internal-sftp", options: directives });
  };
  writeFileSync(join(folder, "sshd_config"), config({}));
  const start = () => ({
    argv: [findProgram("sshd")!, "-D", "-E", `${folder}/sshd.log`, "-f", `${folder}/sshd_config`],
    env: { MUSTER_LAB_NODE: folder },
  });
  const workdir = join(folder, "work");
  const paths = { disk: folder, folder, sshFiles: folder, workdir };
  return { ...commonPlace(spot), ...paths, kind: "plain", port, config, start };
}

function bootProgram(): string {
  return join(projectRoot(), "test/lab/boot.sh");
}
