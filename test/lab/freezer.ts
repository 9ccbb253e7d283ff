import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { waitUntil } from "./waituntil.js";

/** Where cgroups of version 1 freeze processes; undefined where this machine, or this user, cannot. */
const root = /^\S+ (\S+) cgroup rw\S*,freezer/m.exec(readFileSync("/proc/self/mounts", "utf8"))?.[1];

/** Why there is no freezer here; false where there is one. */
export function lackingFreezer(): string | false {
  if (process.getuid?.() !== 0) return "needs root: a process that cannot be killed";
  return root === undefined && "needs a freezer of cgroups of version 1: SIGKILL ends what version 2 has frozen";
}

/** Makes processes that cannot be killed, as a driver that hangs does: they sleep uninterruptibly until they are thawed. */
export class Freezer {
  private constructor(private readonly folder: string) {}

  /** Creates a freezer whose name has that of `folder`. Ask `lackingFreezer` first. */
  static create(folder: string): Freezer {
    const path = join(root!, `muster-${process.pid}-${basename(folder)}`);
    mkdirSync(path);
    writeFileSync(join(path, "freezer.state"), "FROZEN");
    return new Freezer(path);
  }

  /** The words of a program that freezes itself. */
  get command(): string[] {
    return ["sh", "-c", `echo $$ >${join(this.folder, "cgroup.procs")}; exec sleep 600`];
  }

  /** The state of each frozen process, as /proc has it: D is an uninterruptible sleep. */
  states(): string[] {
    return this.pids().map((pid) => /^State:\t(\S)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]!);
  }

  /** Ends the frozen processes. */
  async thaw(): Promise<void> {
    for (const pid of this.pids()) process.kill(pid, "SIGKILL");
    writeFileSync(join(this.folder, "freezer.state"), "THAWED");
    await waitUntil("nothing is frozen", () => this.pids().length === 0, 10);
  }

  async remove(): Promise<void> {
    await this.thaw();
    rmdirSync(this.folder);
  }

  private pids(): number[] {
    return readFileSync(join(this.folder, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
  }
}
