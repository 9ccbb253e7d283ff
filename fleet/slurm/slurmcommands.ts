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

const COMMANDS = ["srun", "sbatch", "squeue", "scancel", "scontrol", "sinfo"] as const;
export type SlurmCommand = (typeof COMMANDS)[number];

/**
 * Where the commands are: on the PATH, or on that of a login shell; a site may have put one of its own before Slurm's, and may keep srun
 * from its users. Then the version.
 */
const FIND_SCRIPT = `for name in ${COMMANDS.join(" ")}; do
  found=$(command -v $name) || found=$(bash -lc "command -v $name" 2>/dev/null | tail -n 1)
  if [ -x "$found" ]; then echo "found $name $found"
  elif [ $name != srun ]; then echo "$name: command not found" >&2; exit 127; fi
done
"$found" --version`;

interface FoundCommands {
  paths: ReadonlyMap<string, string>;
  /** Of Slurm, if its srun has no --overlap. */
  oldVersion?: string;
}

/** The commands of Slurm on one login node. */
export class SlurmCommands {
  private found: Promise<FoundCommands> | undefined;
  private kill: Promise<number> | undefined;

  constructor(private readonly cluster: Cluster) {}

  /** Runs a command. Rejects with an error of createSlurmError unless it exits 0. */
  async run(
    connection: Connection,
    name: SlurmCommand,
    words: readonly string[],
    stdin: string,
    timeout: number,
  ): Promise<string> {
    const path = await this.find(connection, name);
    const result = await connection.exec([path, ...words], { stdin, timeout });
    return this.outputOf(name, result);
  }

  /** Returns the path of a command. Rejects with MISSING where one is missing. */
  async find(connection: Connection, name: SlurmCommand): Promise<string> {
    const path = (await this.findAll(connection)).paths.get(name);
    if (path !== undefined) return path;
    const next = "Check that the commands of Slurm are on the PATH of a login shell there.";
    throw new MusterError("MISSING", `${name}: command not found`, { node: this.cluster.name, next });
  }

  /** Returns the path of an srun whose steps can share an allocation. Rejects with MISSING, and with CONFIG where it is too old. */
  async findStepCommand(connection: Connection): Promise<string> {
    const { oldVersion } = await this.findAll(connection);
    if (oldVersion === undefined) return this.find(connection, "srun");
    const reason = `its Slurm is ${oldVersion}, and srun has --overlap since ${OLDEST.join(".")}`;
    const next = "Use another login node, or run the job inside an allocation with `-i local`.";
    throw new MusterError("CONFIG", reason, { node: this.cluster.name, next });
  }

  /** Returns how long Slurm waits from SIGTERM to SIGKILL, in seconds; its default where it does not say. */
  async killSeconds(connection: Connection): Promise<number> {
    this.kill ??= this.run(connection, "scontrol", ["show", "config"], "", FIND_TIMEOUT_SECONDS).then(
      (config) =>
        Math.max(Number(/^KillWait\s*= (\d+) sec/m.exec(config)?.[1] ?? DEFAULT_KILL_SECONDS), MIN_KILL_SECONDS),
      () => {
        this.kill = undefined;
        return DEFAULT_KILL_SECONDS;
      },
    );
    return this.kill;
  }

  private findAll(connection: Connection): Promise<FoundCommands> {
    this.found ??= this.look(connection).catch((error) => {
      this.found = undefined;
      throw error;
    });
    return this.found;
  }

  private async look(connection: Connection): Promise<FoundCommands> {
    const result = await connection.exec(["/bin/sh", "-c", FIND_SCRIPT], { timeout: FIND_TIMEOUT_SECONDS });
    const output = this.outputOf("look for Slurm", result);
    const lines = [...output.matchAll(/^found (\w+) (\/.*)$/gm)];
    const paths = new Map(lines.map(([, name, path]): [string, string] => [name!, path!]));
    const [, major, minor] = /^slurm(?:-wlm)? (\d+)\.(\d+)/m.exec(output) ?? [];
    if (major === undefined || Number(major) > OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) >= OLDEST[1]))
      return { paths };
    return { paths, oldVersion: `${major}.${minor}` };
  }

  /** Returns what a command has printed. Throws an error of createSlurmError unless it exited 0. */
  outputOf(name: string, result: CommandResult): string {
    if (result.kind === "exit" && result.code === 0) return result.stdout;
    throw createSlurmError(this.cluster, name, result);
  }
}
