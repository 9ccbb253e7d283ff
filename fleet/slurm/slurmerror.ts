import { type FilePosition, MusterError } from "../../schemas/errors.js";
import type { CommandResult } from "../connection.js";
import type { Cluster, ClusterKey } from "./cluster.js";

/** Words of Slurm about a controller that does not answer, or not now: asking again later may help. */
const UNANSWERED =
  /Unable to contact slurm controller|Socket timed out|Connection (refused|timed out|reset)|Slurm backup controller|Zero Bytes were transmitted|Communication connection failure|munge|Protocol authentication error|Transport endpoint|temporarily unable|Unable to establish control/i;

/** Whether words of Slurm say that its controller does not answer, or not now. */
export function isUnanswered(words: string): boolean {
  return UNANSWERED.test(words);
}

/** Words of Slurm about limits of the user: another pilot is possible when one has ended. */
const LIMITED =
  /job submit limit|MaxSubmit|QOSMaxSubmit|AssocMaxSubmit|MaxJobs|MaxArraySize|submit limit|Job violates accounting\/QOS policy|Job count limit|too many jobs/i;

/** Words of Slurm about limits of a single job, which this one will always exceed. */
const NEVER_ALLOWED = /(QOS|Assoc)(Max|Min)\w+PerJob/;

/** Reasons of squeue for a job that does not start until somebody changes the job, the partition or the user's rights. */
const NEVER_STARTED = new Set([
  "AccountNotAllowed",
  "BadConstraints",
  "InvalidAccount",
  "InvalidQOS",
  "PartitionConfig",
  "PartitionNodeLimit",
  "PartitionTimeLimit",
  "QOSNotAllowed",
]);

/** Whether a job that waits for this reason will not start by itself. */
export function isNeverStarted(reason: string | undefined): boolean {
  return reason !== undefined && NEVER_STARTED.has(reason);
}

/** Creates the error for a pilot that Slurm has accepted and will not start. */
export function createNeverStartsError(cluster: Cluster, id: string, reason: string): SlurmError {
  return new SlurmError("refused", cluster, "squeue", `job ${id} cannot start: ${reason}`);
}

const SHOWS_PARTITIONS = "`sinfo` on the login node shows what there is";
const SHOWS_NODES = '`sinfo --Node --Format="NodeHost,CPUs,Memory,Gres"` on the login node shows what there is';
const SHOWS_RIGHTS = "`sacctmgr show associations user=$USER` on the login node shows what you may use";

/** What Slurm's words are about. */
interface Subject {
  words: RegExp;
  /** Keys of the inventory; of several, each may be the cause. */
  keys: readonly ClusterKey[];
  /** How to learn what is possible. */
  look: string;
}

const SUBJECTS: readonly Subject[] = [
  { words: /(QOS|Assoc)MaxCPU/i, keys: ["cpus"], look: SHOWS_RIGHTS },
  { words: /(QOS|Assoc)MaxGRES/i, keys: ["gres"], look: SHOWS_RIGHTS },
  { words: /(QOS|Assoc)MaxMem/i, keys: ["memory"], look: SHOWS_RIGHTS },
  { words: /PartitionTimeLimit|time limit|DefaultTime|MaxTime/i, keys: ["time"], look: SHOWS_PARTITIONS },
  { words: /PartitionConfig/, keys: ["gres", "cpus", "memory"], look: SHOWS_NODES },
  { words: /account/i, keys: ["account"], look: SHOWS_RIGHTS }, // "account or account/partition combination"
  { words: /partition/i, keys: ["partition"], look: SHOWS_PARTITIONS },
  { words: /gres|generic resource/i, keys: ["gres"], look: SHOWS_NODES },
  { words: /memory/i, keys: ["memory"], look: SHOWS_NODES },
  { words: /CPU count|cpus|processors/i, keys: ["cpus"], look: SHOWS_NODES },
  { words: /node configuration/i, keys: ["gres", "cpus", "memory", "sbatch"], look: SHOWS_NODES },
  { words: /unrecognized option|invalid option/i, keys: ["sbatch"], look: "`sbatch --help` there lists the options" },
  { words: /qos/i, keys: ["sbatch"], look: SHOWS_RIGHTS },
  {
    words: /constraint|feature/i,
    keys: ["sbatch"],
    look: '`sinfo --format="%P %f"` on the login node shows what there is',
  },
];

/** Whether words of Slurm leave open which of several keys is the cause. */
export function isAmbiguous(words: string): boolean {
  return (findSubject(words)?.keys.length ?? 0) > 1;
}

function findSubject(text: string): Subject | undefined {
  return SUBJECTS.find(({ words }) => words.test(text));
}

/** Says what to change: the keys that words of Slurm are about, as far as the inventory has them, each with its place. */
function adviseChange(words: string, { name, positions }: Cluster): string {
  const { keys = [], look = SHOWS_PARTITIONS } = findSubject(words) ?? {};
  const own = keys.filter((key) => positions[key] !== undefined);
  if (own.length > 1) {
    const places = own.map((key) => `\`${key}\`${describePlace(positions[key])}`);
    const list = `${places.slice(0, -1).join(", ")} or ${places.at(-1)}`;
    return `Change ${list} of ${name} in the inventory; ${look}.`;
  }
  const key = own[0] ?? (keys.length === 1 ? keys[0] : undefined);
  const what = key === undefined ? "the entry" : `\`${key}\``;
  return `Change ${what} of ${name} in the inventory${describePlace(key && positions[key])}; ${look}.`;
}

/** Why a command of Slurm failed. `limited`: it may succeed when others of the user's jobs have ended. */
export type SlurmRefusal = "refused" | "limited";

/** Slurm refuses what was asked, in its own words. */
export class SlurmError extends MusterError {
  constructor(
    readonly kind: SlurmRefusal,
    cluster: Cluster,
    command: string,
    words: string,
  ) {
    const next = kind === "limited" ? "It is tried again when an allocation has ended." : adviseChange(words, cluster);
    super("SLURM", `${command}: ${words}`, { node: cluster.name, next });
    this.name = "SlurmError";
  }
}

/** Creates the error for a command of Slurm that has failed. Its code is UNREACHABLE, TIMEOUT or LOST where asking again may help. */
export function createSlurmError(cluster: Cluster, command: string, result: CommandResult): MusterError {
  const { name: node } = cluster;
  if (result.kind === "lost")
    return new MusterError("LOST", `${command}: the connection to the login node was lost: ${result.reason}`, { node });
  if (result.kind === "timeout") {
    const next = "Check on the login node whether `squeue --me` answers.";
    const said = cleanWords(result.stderr); // of a munged that is down, while squeue repeats its attempts
    const reason = `${command} gave no answer within ${result.seconds} s${said && `: ${said}`}`;
    return new MusterError("TIMEOUT", reason, { node, next });
  }
  const words = cleanWords(result.stderr) || (result.kind === "exit" ? `exit ${result.code}` : result.signal);
  if (result.kind === "exit" && result.code === 127) {
    const next = "Check that the commands of Slurm are on the PATH of a login shell there.";
    const reason = words.startsWith(`${command}: `) ? words : `${command}: ${words}`;
    return new MusterError("MISSING", reason, { node, next });
  }
  if (isUnanswered(words)) {
    const next = "Check on the login node whether `squeue --me` answers; what runs goes on meanwhile.";
    return new MusterError("UNREACHABLE", `${command}: ${words}`, { node, next });
  }
  const isLimited = LIMITED.test(words) && !NEVER_ALLOWED.test(words);
  return new SlurmError(isLimited ? "limited" : "refused", cluster, command, words);
}

/** Slurm's own words, without the name of the command that every line begins with, unless it says that there is no such command. */
export function cleanWords(stderr: string): string {
  const lines = stderr
    .split("\n")
    .map((line) => line.replace(/^\s*(\w+: (?!command not found|not found))?(error: )?/, "").trim())
    .filter((line) => line !== "");
  return [...new Set(lines)]
    .join("; ")
    .replace(/[\p{C}]/gu, " ")
    .slice(0, 400);
}

/** Returns a place in a file as it follows what stands there: " (inventory.yaml:12:3)"; "" where there is none. */
export function describePlace(place: FilePosition | undefined): string {
  if (place === undefined) return "";
  const { file, line, column } = place;
  return line === undefined ? ` (${file})` : ` (${file}:${line}:${column})`;
}
