import { type ExecFileOptions, execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type GpuSetup, sysfsCards, sysfsState } from "./fakegpus.js";
import { findMarked, listDescendants, listNamespace, type Process } from "./processes.js";
import { type LabKind, LabUnsupportedError } from "./requirements.js";
import { knownHostsLine, makeKey, type SshdOptions } from "./sshd.js";
import type { SupervisorClient } from "./supervisorclient.js";
import { comesTrue } from "./waituntil.js";

const run = promisify(execFile);

/** What a node needs to know about its surroundings; see lab.ts. */
export interface NodePlace {
  name: string;
  host: string;
  port: number;
  user: string;
  identityFile: string;
  kind: LabKind;
  /** Under the supervisor's own mounts for machines: `disk/upper`, `disk/home`. */
  disk: string;
  /** Seen by everyone: the log of a plain sshd. */
  folder: string;
  /** The folder with sshd_config, host key and authorized_keys as seen from here, and as sshd sees it. */
  sshFiles: string;
  supervisor: SupervisorClient;
  table: string | undefined;
  knownHostsFile: string;
  workdir: string;
  /** sshd_config for these options. */
  config(options: SshdOptions): string;
  /** Empties the disk and installs the system on it. Machines only. */
  install?(): void;
  /** What the supervisor runs. */
  start(bootId: string, cards: string): { argv: string[]; env: Record<string, string> };
}

/** One machine of the lab (or, without root, one sshd of the user). */
export class LabNode {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly identityFile: string;
  /** Path of the lab's known_hosts. */
  readonly knownHosts: string;
  /** Where muster may work on it. */
  readonly workdir: string;
  /** `ssh-ed25519 AAAA...` */
  hostKey = "";
  /** The init as seen from outside (for a plain sshd: its listener); undefined while switched off. */
  pid: number | undefined;
  bootId = "";

  constructor(
    private readonly place: NodePlace,
    private gpus: GpuSetup | undefined,
  ) {
    this.name = place.name;
    this.host = place.host;
    this.port = place.port;
    this.user = place.user;
    this.identityFile = place.identityFile;
    this.knownHosts = place.knownHostsFile;
    this.workdir = place.workdir;
  }

  /** The node's `/` as seen from outside. Files written through it while the node is on are seen by it at once. */
  get root(): string {
    this.mustBeMachine("a file system of its own");
    return this.pid === undefined ? join(this.place.disk, "upper") : `/proc/${this.pid}/root`;
  }

  get knownHostsLine(): string {
    return knownHostsLine(this.host, this.port, this.hostKey);
  }

  /** Generates the host key and starts the machine. */
  async create(): Promise<void> {
    this.writeGpus();
    await this.newHostKey();
    await this.powerOn();
    await appendFile(this.place.knownHostsFile, `${this.knownHostsLine}\n`);
  }

  /** Boots with a new boot id and empty /dev/shm, /run and /tmp; the disk is as it was. */
  async powerOn(): Promise<void> {
    if (this.pid !== undefined) return;
    this.bootId = randomUUID();
    const { argv, env } = this.place.start(this.bootId, sysfsCards(this.gpus));
    this.pid = await this.place.supervisor.startNode({ name: this.name, argv, env });
    if (this.place.table !== undefined) await this.heal();
    this.writeGpus();
  }

  /** Pulls the plug: every process gone at once, and from then on silence at the address, no refusal. */
  async powerOff(): Promise<void> {
    this.mustBeMachine("power cycle");
    await this.cutOff();
    await this.place.supervisor.killNode(this.name);
    this.pid = undefined;
  }

  async powerCycle(): Promise<void> {
    await this.powerOff();
    await this.powerOn();
  }

  /**
   * Turns the machine off, empties its disk, and boots the system, which is installed again: nothing is left but its address, and it has
   * another host key. The lab's known_hosts keeps the old one.
   */
  async reinstall(): Promise<void> {
    await this.powerOff();
    this.place.install?.();
    this.writeGpus();
    await this.newHostKey();
    await this.powerOn();
  }

  /** From now on every packet to and from the node is dropped; connections stay, and hear nothing. */
  async cutOff(): Promise<void> {
    await this.nft(`add ${this.cutElement}`);
  }

  /** Undoes `cutOff`. Fine where it is not cut off. */
  async heal(): Promise<void> {
    // Adding first makes the delete succeed whatever was there.
    await this.nft(`add ${this.cutElement}; delete ${this.cutElement}`);
  }

  /**
   * Restarts the listener, with these directives added to those of the lab. Connections that stand continue, as under
   * systemd on Debian; `dropConnections` ends them.
   */
  async restartSshd(options: SshdOptions = {}): Promise<void> {
    writeFileSync(this.sshFile("sshd_config"), this.place.config(options));
    if (this.place.kind === "machines") return this.restartListener();
    await this.place.supervisor.killNode(this.name);
    this.pid = undefined;
    await this.powerOn();
  }

  /** Kills the sshd process of every connection; what they started continues. */
  async dropConnections(): Promise<void> {
    for (const { pid, argv } of this.everything()) {
      if (argv[0]!.startsWith("sshd: ") && !isListener(argv)) killIfThere(pid);
    }
  }

  /** A new host key, as after a reinstallation. The lab's known_hosts keeps the old one. */
  async rekey(): Promise<void> {
    for (const file of ["ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"]) rmSync(this.sshFile(file));
    await this.newHostKey();
    await this.restartSshd();
  }

  /** Runs a program inside the node, as its root, without sshd. Rejects when it fails; `code`, `stdout`, `stderr` say how. */
  async exec(argv: string[], options: ExecFileOptions = {}): Promise<{ stdout: string; stderr: string }> {
    const [program, ...words] = this.enterWords(argv) as [string, ...string[]];
    return run(program, words, { ...options, encoding: "utf8" });
  }

  /** Returns the command that runs a program inside the node, as its root. */
  enterWords(argv: string[]): string[] {
    this.mustBeMachine("looking into a node");
    if (this.pid === undefined) throw new Error(`${this.name} is switched off`);
    const enter = ["--target", String(this.pid), "--mount", "--uts", "--ipc", "--pid", "--root", "--wd=/"];
    return ["nsenter", ...enter, ...argv];
  }

  /** What runs on the node beside init and the sshd listener. The sshds of standing connections count, zombies too. */
  processes(): Process[] {
    return this.everything().filter(({ argv }) => !isListener(argv));
  }

  /** Waits at most `seconds` for `processes()` to be empty; returns what is left then. */
  async quiet(seconds: number): Promise<Process[]> {
    await comesTrue(() => this.processes().length === 0, seconds);
    return this.processes();
  }

  /** Changes the cards that the fake tools and sysfs report: `setGpus({ sick: [2] })`. */
  setGpus(change: Partial<GpuSetup>): void {
    if (this.gpus === undefined) throw new Error(`${this.name} has no cards`);
    this.gpus = { ...this.gpus, ...change };
    this.writeGpus();
  }

  private writeGpus(): void {
    const file =
      this.place.kind === "machines" ? join(this.root, "etc/lab-gpus.json") : `${this.place.folder}/gpus.json`;
    if (this.gpus === undefined) return;
    writeFileSync(file, JSON.stringify(this.gpus));
    if (this.place.kind === "machines" && this.pid !== undefined) this.writeSysfs(this.gpus);
  }

  private writeSysfs(gpus: GpuSetup): void {
    const { files, settings, links } = sysfsState(gpus);
    const unset = settings.filter(([path]) => !existsSync(join(this.root, path)));
    for (const [path, text] of [...files, ...unset]) {
      const file = join(this.root, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    for (const [path, to] of links) {
      const link = join(this.root, path);
      const isThere = lstatSync(link, { throwIfNoEntry: false }) !== undefined;
      if (to === undefined) rmSync(link, { force: true });
      else if (!isThere) symlinkSync(to, link);
    }
  }

  private everything(): Process[] {
    if (this.pid === undefined) return [];
    if (this.place.kind === "machines") return listNamespace(this.pid);
    const found = [...findMarked(`MUSTER_LAB_NODE=${this.place.folder}`), ...listDescendants(this.pid)];
    return [...new Map(found.map((one) => [one.pid, one])).values()];
  }

  private async restartListener(): Promise<void> {
    const old = this.everything().find(({ argv }) => isListener(argv));
    if (old === undefined) throw new Error(`${this.name} has no sshd`);
    process.kill(old.pid, "SIGTERM");
    const title = (process: Process) => isListener(process.argv) && process.argv[0]!.includes("[listener]");
    const back = () => this.everything().some((process) => title(process) && process.pid !== old.pid);
    if (!(await comesTrue(back, 10))) throw new Error(`${this.name}: sshd does not come back: ${this.sshdLog()}`);
  }

  /** What sshd has logged. */
  sshdLog(): string {
    const file = this.place.kind === "machines" ? join(this.root, "var/log/sshd.log") : `${this.place.folder}/sshd.log`;
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }

  private sshFile(name: string): string {
    return this.place.kind === "machines" ? join(this.root, "etc/ssh", name) : join(this.place.sshFiles, name);
  }

  private async newHostKey(): Promise<void> {
    this.hostKey = await makeKey(this.sshFile("ssh_host_ed25519_key"), this.name);
  }

  private get cutElement(): string {
    return `element inet ${this.place.table} cut { ${this.host} }`;
  }

  private async nft(commands: string): Promise<void> {
    this.mustBeMachine("cutting a node off");
    await run("nft", [commands]);
  }

  private mustBeMachine(what: string): void {
    if (this.place.kind !== "machines") throw new LabUnsupportedError("NEEDS_ROOT", `needs root: ${what}`);
  }
}

/** A connection has two sshds, and one does not outlive the other. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The listener renames itself once it listens; ` -R` is a connection's sshd that has not yet said whose it is. */
function isListener(argv: string[]): boolean {
  const line = argv.join(" ");
  return line.includes("[listener]") || (/sshd -D/.test(line) && !line.endsWith(" -R"));
}
