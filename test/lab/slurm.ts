import { randomBytes } from "node:crypto";
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Lab, LabNode } from "./lab.js";
import { killMarked } from "./processes.js";
import { projectRoot } from "./project.js";
import { type ProgramRun, runProgram } from "./runprogram.js";
import { formatGresConf, formatJobSubmit, formatSlurmConf, listDeviceFiles, type SlurmOptions } from "./slurmconf.js";
import { waitUntil } from "./waituntil.js";

export type { SlurmOptions, SlurmPartition } from "./slurmconf.js";

export type SlurmDaemon = "munged" | "slurmctld" | "slurmd";

/** A job as `squeue` shows it. */
export interface SlurmJob {
  id: string;
  name: string;
  /** PENDING, RUNNING, COMPLETING, ... */
  state: string;
  /** Why it waits: `Resources`, `Priority`, ...; `None` while it runs. */
  reason: string;
  /** The nodes that it runs on. */
  nodes: string;
}

const PID_FILES: Record<SlurmDaemon, string> = {
  munged: "run/munge/munged.pid",
  slurmctld: "run/slurmctld.pid",
  slurmd: "run/slurmd.pid",
};

/** Slurm on nodes of a lab: `login` has the controller too. */
export class Slurm {
  readonly login: LabNode;

  constructor(
    readonly cluster: string,
    private readonly nodes: LabNode[],
    readonly compute: LabNode[],
    private readonly options: SlurmOptions,
  ) {
    this.login = nodes[0]!;
  }

  /** Runs a program on the login node as the user that the lab's nodes are logged in to. Resolves however it ends. */
  run(argv: string[], stdin = ""): Promise<ProgramRun> {
    const { user } = this.login;
    const home = user === "root" ? "/root" : `/home/${user}`;
    const variables = [`HOME=${home}`, `USER=${user}`, `LOGNAME=${user}`, "PATH=/usr/local/bin:/usr/bin:/bin"];
    const as = ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--init-groups", "env", "-i", "-C", home];
    return runProgram(this.login.enterWords([...as, ...variables, ...argv]), stdin);
  }

  /** Submits a batch script as the user, with these words of sbatch, and returns its id. Throws what sbatch says where it refuses. */
  async submit(script: string, words: string[] = []): Promise<string> {
    const ran = await this.run(["sbatch", "--parsable", "--no-requeue", "-o", "/dev/null", ...words], script);
    if (ran.code !== 0) throw new Error(ran.stderr);
    return ran.stdout.trim();
  }

  /** Returns all jobs of all users that are not over yet. */
  async squeue(): Promise<SlurmJob[]> {
    const { stdout } = await this.asRoot(["squeue", "-h", "-S", "i", "-o", "%i|%j|%T|%r|%N"]);
    return stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => {
        const [id, name, state, reason, nodes] = line.split("|") as [string, string, string, string, string];
        return { id, name, state, reason, nodes };
      });
  }

  /** Waits until a job is in this state; "over" means that squeue shows it no more. */
  async waitForJob(id: string, state: string, seconds = 60): Promise<void> {
    await waitUntil(
      `job ${id} is ${state}`,
      async () => ((await this.squeue()).find((job) => job.id === id)?.state ?? "over") === state,
      seconds,
    );
  }

  /** Cancels a job as an administrator. */
  async scancel(id: string): Promise<void> {
    await this.asRoot(["scancel", id]);
  }

  /** Gives the node no new jobs; those that it runs continue. */
  async drain(node: LabNode): Promise<void> {
    await this.update(node, "drain");
  }

  /** Ends the jobs that run on the node, and gives it no new ones. */
  async down(node: LabNode): Promise<void> {
    await this.update(node, "down");
  }

  /** Undoes `drain` and `down`. */
  async resume(node: LabNode): Promise<void> {
    await this.update(node, "resume");
  }

  /** Waits until the controller has stored what it knows of jobs, which it does every few seconds: one that is killed forgets the rest. */
  async storeState(): Promise<void> {
    const file = join(this.login.root, "var/spool/slurmctld/job_state");
    const began = Date.now();
    for (const { id } of await this.squeue()) await this.asRoot(["scontrol", "update", `JobId=${id}`, "Comment=store"]);
    await waitUntil("the state is stored", () => existsSync(file) && statSync(file).mtimeMs > began, 20);
  }

  /** Kills a daemon (SIGKILL). Default node: the login node; for slurmd, the first compute node. */
  async kill(daemon: SlurmDaemon, node = this.homeOf(daemon)): Promise<void> {
    const pid = this.pidOf(daemon, node);
    if (pid === undefined) throw new Error(`${node.name} runs no ${daemon}`);
    await node.exec(["kill", "-KILL", String(pid)]);
    await waitUntil(`${daemon} is gone`, () => this.pidOf(daemon, node) === undefined);
  }

  /** Starts a daemon that does not run. After a node was powered on, munged comes first. */
  async start(daemon: SlurmDaemon, node = this.homeOf(daemon)): Promise<void> {
    rmSync(join(node.root, PID_FILES[daemon]), { force: true });
    await node.exec(["bash", "-c", startScript(daemon, listDeviceFiles(this.options))]);
    await waitUntil(`${daemon} runs`, () => this.pidOf(daemon, node) !== undefined, 20);
  }

  /** Waits until all compute nodes can take jobs (and run none). */
  async waitForIdle(seconds = 60): Promise<void> {
    const isIdle = async () => {
      const { stdout } = await this.asRoot(["sinfo", "-h", "-N", "-o", "%N %t"]);
      return this.compute.every(({ name }) => stdout.split("\n").includes(`${name} idle`));
    };
    await waitUntil("all compute nodes are idle", isIdle, seconds);
  }

  /** What a daemon has logged. */
  log(daemon: "slurmctld" | "slurmd", node = this.homeOf(daemon)): string {
    const file = join(node.root, `var/log/slurm/${daemon}.log`);
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }

  /** Kills all daemons and what is left of jobs. The nodes stay. */
  async stop(): Promise<void> {
    for (const node of this.nodes.filter(({ pid }) => pid !== undefined))
      for (const daemon of ["slurmctld", "slurmd", "munged"] as const)
        if (this.pidOf(daemon, node) !== undefined) await this.kill(daemon, node);
    const stepDaemons = () =>
      this.nodes.flatMap((node) => node.processes()).filter(({ argv }) => argv[0]!.startsWith("slurmstepd"));
    for (const { pid } of stepDaemons()) process.kill(pid, "SIGKILL");
    killMarked(`SLURM_CLUSTER_NAME=${this.cluster}`);
    await waitUntil("nothing of Slurm is left", () => stepDaemons().length === 0, 10);
  }

  /** Runs a program on the login node as root. Rejects where it fails. */
  async asRoot(argv: string[]): Promise<ProgramRun> {
    const ran = await runProgram(this.login.enterWords(argv));
    if (ran.code !== 0) throw new Error(`${argv.join(" ")}: exit ${ran.code}: ${ran.stderr}`);
    return ran;
  }

  private async update(node: LabNode, state: string): Promise<void> {
    await this.asRoot(["scontrol", "update", `NodeName=${node.name}`, `State=${state}`, "Reason=lab"]);
  }

  private homeOf(daemon: SlurmDaemon): LabNode {
    return daemon === "slurmd" ? this.compute[0]! : this.login;
  }

  /** The pid within the node's namespace; undefined where the daemon does not run. */
  private pidOf(daemon: SlurmDaemon, node: LabNode): number | undefined {
    const file = join(node.root, PID_FILES[daemon]);
    const pid = Number(readOr(file, "0"));
    const name = readOr(join(node.root, `proc/${pid}/comm`), "");
    return pid > 0 && name.trim() === daemon ? pid : undefined;
  }
}

/**
 * Starts Slurm on nodes of a lab of whole machines (ask `lackingSlurm()` first), and resolves when all compute nodes are idle. The first node
 * is the controller and the login node, the others compute. Jobs are those of the user that the lab logs in as. After `stop`, another Slurm
 * can be started on the same nodes.
 */
export async function startSlurm(lab: Lab, options: SlurmOptions = {}, nodes: LabNode[] = lab.nodes): Promise<Slurm> {
  const [first, ...others] = nodes as [LabNode, ...LabNode[]];
  const compute = (options.loginComputes ?? others.length === 0) ? nodes : others;
  const cluster = basename(lab.folder).toLowerCase();
  const files: [path: string, content: string | Buffer][] = [
    ["etc/munge/munge.key", randomBytes(128)],
    ["etc/slurm/slurm.conf", formatSlurmConf(cluster, first, compute, options)],
    ["etc/slurm/gres.conf", formatGresConf(options)],
    ["etc/slurm/job_submit.lua", formatJobSubmit(options.accounts ?? [])],
  ];
  for (const node of nodes) installSlurm(node, files, nodes);
  limitSubmissions(first, options.maxSubmitJobs);
  const slurm = new Slurm(cluster, nodes, compute, options);
  await Promise.all(nodes.map((node) => slurm.start("munged", node)));
  await slurm.start("slurmctld");
  await Promise.all(compute.map((node) => slurm.start("slurmd", node)));
  await slurm.waitForIdle();
  return slurm;
}

function installSlurm(node: LabNode, files: [path: string, content: string | Buffer][], nodes: LabNode[]): void {
  for (const folder of ["slurmctld", "slurmd"])
    rmSync(join(node.root, "var/spool", folder), { recursive: true, force: true });
  mkdirSync(join(node.root, "etc/slurm"), { recursive: true });
  for (const [path, content] of files) writeFileSync(join(node.root, path), content);
  const hosts = nodes.map(({ host, name }) => `${host} ${name}\n`).join("");
  const known = join(node.root, "etc/hosts");
  if (!readFileSync(known, "utf8").includes(hosts)) appendFileSync(known, hosts);
}

function limitSubmissions(login: LabNode, limit: number | undefined): void {
  const program = join(login.root, "usr/local/bin/sbatch");
  rmSync(program, { force: true });
  if (limit === undefined) return;
  writeFileSync(join(login.root, "etc/slurm/max_submit_jobs"), `${limit}\n`);
  cpSync(join(projectRoot(), "test/lab/fakes/sbatch"), program);
}

/** Folders of /run and device files are gone after each power cycle. */
function startScript(daemon: SlurmDaemon, devices: string[]): string {
  const folders = "mkdir -p /var/spool/slurmctld /var/spool/slurmd /var/log/slurm";
  switch (daemon) {
    case "munged":
      return `install -d -o munge -g munge /run/munge && setpriv --reuid=munge --regid=munge --clear-groups munged --force`;
    case "slurmctld":
      return `${folders} && slurmctld`;
    case "slurmd": {
      const nodes = devices.map((file) => `[ -e ${file} ] || mknod -m 666 ${file} c 1 3`).join("\n");
      return `set -e; ${folders} /dev/lab\n${nodes}\nslurmd -N $(hostname)`;
    }
  }
}

/** The text of a file, which may vanish at any time. */
function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return otherwise;
  }
}
