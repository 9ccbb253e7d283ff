import { MusterError } from "../../schemas/errors.js";
import type { CommandResult, Connection } from "../connection.js";
import type { Cluster } from "./cluster.js";
import { createSlurmError } from "./slurmerror.js";

const FIND_TIMEOUT_SECONDS = 30;
/** Slurm's default of KillWait, and the least that it waits whatever that says. */
const DEFAULT_KILL_SECONDS = 30;
const MIN_KILL_SECONDS = 5;
/** The first release whose srun has --overlap. */
const OLDEST = [20, 11] as const;

/** Where the commands are: on the PATH, or on that of a login shell. Then which version they are of. */
const FIND_SCRIPT = `found=$(command -v sbatch) || found=$(bash -lc 'command -v sbatch' 2>/dev/null | tail -n 1)
[ -x "$found" ] || { echo "sbatch: command not found" >&2; exit 127; }
echo "folder \${found%/*}"
"\${found%/*}/srun" --version`;

/** The commands of Slurm on one login node. */
export class SlurmCommands {
  private folder: Promise<string> | undefined;
  private kill: Promise<number> | undefined;

  constructor(private readonly cluster: Cluster) {}

  /** Runs a command. Rejects with an error of createSlurmError unless it exits 0. */
  async run(
    connection: Connection,
    name: string,
    words: readonly string[],
    stdin: string,
    timeout: number,
  ): Promise<string> {
    const path = `${await this.find(connection)}/${name}`;
    const result = await connection.exec([path, ...words], { stdin, timeout });
    return this.outputOf(name, result);
  }

  /** Returns the folder of the commands. Rejects with MISSING where there are none, and with CONFIG where they are too old. */
  find(connection: Connection): Promise<string> {
    this.folder ??= this.look(connection).catch((error) => {
      this.folder = undefined;
      throw error;
    });
    return this.folder;
  }

  /** Returns how long Slurm waits from SIGTERM to SIGKILL, in seconds; its default where it does not say. */
  async killSeconds(connection: Connection): Promise<number> {
    this.kill ??= this.run(connection, "scontrol", ["show", "config"], "", FIND_TIMEOUT_SECONDS).then(
      (config) =>
        Math.max(Number(/^KillWait\s*= (\d+) sec/m.exec(config)?.[1] ?? DEFAULT_KILL_SECONDS), MIN_KILL_SECONDS),
      () => DEFAULT_KILL_SECONDS,
    );
    return this.kill;
  }

  private async look(connection: Connection): Promise<string> {
    const result = await connection.exec(["/bin/sh", "-c", FIND_SCRIPT], { timeout: FIND_TIMEOUT_SECONDS });
    const output = this.outputOf("find sbatch", result);
    const folder = /^folder (\/.*)$/m.exec(output)?.[1] ?? "";
    const [, major, minor] = /^slurm(?:-wlm)? (\d+)\.(\d+)/m.exec(output) ?? [];
    if (major === undefined || Number(major) > OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) >= OLDEST[1]))
      return folder;
    const reason = `its Slurm is ${major}.${minor}, and srun has --overlap since ${OLDEST.join(".")}`;
    const next = "Use another login node, or run the job inside an allocation with `-i local`.";
    throw new MusterError("CONFIG", reason, { node: this.cluster.name, next });
  }

  /** Returns what a command has printed. Throws an error of createSlurmError unless it exited 0. */
  outputOf(name: string, result: CommandResult): string {
    if (result.kind === "exit" && result.code === 0) return result.stdout;
    throw createSlurmError(this.cluster, name, result);
  }
}
