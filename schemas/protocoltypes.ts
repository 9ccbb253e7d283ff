// Generated from schemas/*.json by `npm run generate`; changes belong there.

/** The version of the protocol. An agent of another version is stopped. */
export const PROTOCOL_VERSION = 14;

/** Matches an attempt id: the nonce of a coordinator, a count, and a MAC. */
export const ATTEMPT_ID = /^[0-9a-f]{16}-[0-9a-z]{1,12}-[0-9a-f]{16}$/;

/** From the coordinator to the agent. */
export type AgentCommand =
  | OpenCommand
  | SpecCommand
  | FindCommand
  | ReleaseCommand
  | PutCommand
  | TakeCommand
  | UnpackCommand
  | TreeCommand
  | BuildCommand
  | StartCommand
  | SplitCommand
  | WithdrawCommand
  | CancelCommand
  | AckCommand
  | LookCommand
  | ExaminedCommand
  | RetireCommand
  | PingCommand
  | StopCommand;

/** The first line. Answered by `hello` or `refused`. A later `open` of the same coordinator changes the settings. */
export interface OpenCommand {
  readonly op: "open";
  /** The run's name, as runs that wait for a slot of this one show it. */
  readonly run: string;
  /** Of this coordinator. */
  readonly nonce: string;
  /** Of all coordinators that its journal knows. The agent accepts it only if the last coordinator of the agent is among them. */
  readonly nonces: readonly string[];
  /** How long the agent lives without a line from a coordinator. */
  readonly lease: number;
  /** Attempts that may run at once on the node, of this run and of others that share its permits. Default: one on each slot. */
  readonly max?: number;
  /** Of the run. A slot goes to the waiting run with the highest priority first. */
  readonly priority: number;
  /** Environment of all attempts. */
  readonly env: Readonly<Record<string, string>>;
  /** The slots of the node. */
  readonly slots: SlotSetup[];
  /** The GPUs of the slots, an entry for each vendor. */
  readonly cards?: KnownCards[];
  /** How long slots with a GPU wait for `examined` at most. Default: 0. */
  readonly examine?: number;
  /** How often `progress` is sent at most. Default: never. */
  readonly progress?: number;
  /** How the GPUs that running attempts use are looked at. Default: not at all. */
  readonly samples?: {
    /** The time between two looks; at least a second. */
    readonly every: number;
    /** How long a GPU computes nothing in a running attempt until `idle` is sent. */
    readonly idle: number;
  };
  /** How many bytes the node's cache may hold when the run ends. Default: a tenth of its file system, and at most 20 GiB. */
  readonly cache?: number;
  /** Outputs and logs up to this size are part of `done`. */
  readonly inline: number;
  /** How much is kept of each of stdout and stderr of an attempt. */
  readonly log: number;
}

/** Gives a spec a name, for `start`. */
export interface SpecCommand {
  readonly op: "spec";
  /** Its name. */
  readonly id: string;
  readonly spec: AttemptSpec;
}

/** Asks which contents must be sent. Those in the node's cache are there for the run from then on. Answered by `found`. */
export interface FindCommand {
  readonly op: "find";
  /** Of the question. */
  readonly id: number;
  /** SHA-256 and size of each. */
  readonly files: [sha256: string, sizeBytes: number][];
}

/** A content that was missing is not sent: another run may send it. */
export interface ReleaseCommand {
  readonly op: "release";
  readonly sha256: string;
}

/** A piece of a staged file. Pieces come in order, before the first chunk that needs the file; large files are sent over SFTP instead. */
export interface PutCommand {
  readonly op: "put";
  /** Of the whole file. The agent compares it when the last piece has come. */
  readonly sha256: string;
  /** In base64. */
  readonly data: string;
  /** Where the piece begins in the file. Default: 0. */
  readonly offset?: number;
  /** Whether another piece follows. Default: no. */
  readonly more?: boolean;
}

/** Asks whether a content is stored in whole. What was uploaded as store/SHA256.sent is stored if it has this SHA-256, else removed. Answered by `taken`. */
export interface TakeCommand {
  readonly op: "take";
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
}

/** Stores the contents of a pack: the bytes of many small files, one after another, that were uploaded as store/SHA256.sent. Answered by `unpacked`. */
export interface UnpackCommand {
  readonly op: "unpack";
  /** Of the pack as it was uploaded. */
  readonly sha256: string;
  /** SHA-256 and size of each file. */
  readonly files: [sha256: string, sizeBytes: number][];
  /** Whether the pack is compressed (zlib). Default: no. */
  readonly deflated?: boolean;
}

/** Asks which files of a project are missing on the node. Answered by `tree`. */
export interface TreeCommand {
  readonly op: "tree";
  /** Of the project's manifest, which is a staged file. */
  readonly sha256: string;
}

/** Builds a project that is staged, in a working copy of its own, or takes the result of an earlier run on the node: the key of a result is the SHA-256 of these fields, without `id` and `timeout`, and the versions of the node's compilers. Answered by `built`. While a build of the same id is at work, it is not begun again. */
export interface BuildCommand {
  readonly op: "build";
  /** Of the request. */
  readonly id: string;
  /** SHA-256 of the manifest of the project. */
  readonly tree: string;
  /** The command line. */
  readonly argv: string[];
  /** Environment of the program. */
  readonly env: Readonly<Record<string, string>>;
  /** The working directory, relative to the working copy. Default: its top. */
  readonly cwd?: string;
  /** Files, folders and globs that the build makes, relative to the working directory. */
  readonly outputs: string[];
  /** How long it may run. */
  readonly timeout: number;
  /** The model of the node's GPUs, where the result depends on it. */
  readonly gpu?: string;
}

/** Queues an attempt on a slot. `started` and `done` follow. An id that the agent holds already starts nothing: a result that it has is sent again. */
export interface StartCommand {
  readonly op: "start";
  /** Of the attempt; the agent names its folder after it. */
  readonly id: string;
  /** The chunk's id. */
  readonly chunk: string;
  readonly slot: number;
  /** All slots of an attempt that needs several, `slot` first. It starts when it is the first on each of them, and sees the GPUs of all. */
  readonly slots?: number[];
  /** A spec, or the name that `spec` gave it. */
  readonly spec: string | AttemptSpec;
  /** Words that follow the spec's `argv`. */
  readonly args: string[];
  /** The chunk's range: `[start, end]`, half-open, in decimal. For its program. */
  readonly range?: string[];
  /** The chunk's parameters as JSON, instead of the spec's. For its program. */
  readonly params?: string;
  /** 1 for the chunk's first attempt. For its program. */
  readonly try?: number;
  /** What an earlier attempt of the chunk has saved. Its files are stored as inputs are. Default: nothing. */
  readonly state?: KeptState;
  /** Whether it must save a state before it is preempted: the last attempt of the chunk was preempted, and had saved nothing new. Default: no. */
  readonly saveFirst?: boolean;
}

/** The state of a chunk, as its next attempt finds it. */
export interface KeptState {
  /** Of the folder that `current` names. */
  readonly name: string;
  /** The files in it. */
  readonly files: StateFile[];
}

/** A file of a state. */
export interface StateFile {
  /** Relative to the folder that `current` names. */
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  readonly sha256: string;
}

/** A running attempt gives away a part of the units that it has not begun. Answered by `split`. */
export interface SplitCommand {
  readonly op: "split";
  /** Of the attempt. */
  readonly id: string;
  /** The share of these units, 0 to 1. */
  readonly share: number;
}

/** Cancels those of the attempts that have not started. */
export interface WithdrawCommand {
  readonly op: "withdraw";
  readonly ids: string[];
}

/** Cancels attempts: those that run get SIGTERM, later SIGKILL. A `done` with `cancelled` follows for each that the agent knew. */
export interface CancelCommand {
  readonly op: "cancel";
  readonly ids: string[];
  /** Whether the outputs that they have by then are their results: `done` has `stopped`. Default: no. */
  readonly keep?: boolean;
}

/** The results of these attempts are safe with the coordinator: the agent deletes them. */
export interface AckCommand {
  readonly op: "ack";
  readonly ids: string[];
}

/** Runs shell scripts side by side. Answered by `looked`. Not sent while earlier ones run. */
export interface LookCommand {
  readonly op: "look";
  /** For /bin/sh. */
  readonly scripts: string[];
  /** After which each is killed. */
  readonly seconds: number;
}

/** The coordinator has checked the GPUs for the first time: slots with a GPU may start. */
export interface ExaminedCommand {
  readonly op: "examined";
  /** The GPUs that it has found, an entry for each vendor, for a node whose PCI bus shows none. */
  readonly cards?: KnownCards[];
}

/** The node is drained: warm workers that are idle end, so that nothing computes there. */
export interface RetireCommand {
  readonly op: "retire";
}

/** Answered by `pong`. Like each line, it renews the lease. */
export interface PingCommand {
  readonly op: "ping";
}

/** The agent kills everything, deletes the run's folder on the node, answers `bye` and ends. Also valid as the first line, from any coordinator. So an agent of any version can be stopped. */
export interface StopCommand {
  readonly op: "stop";
}

/** The GPUs of one vendor. */
export interface KnownCards {
  /** Whether a batch system has bound them: the environment of the slots selects them as it is. */
  readonly bound?: true;
  /** Of all of them. */
  readonly vendor: "amd" | "nvidia";
  /** PCI addresses by index; empty where they are not known. */
  readonly pci: string[];
}

/** A slot of the node. */
export interface SlotSetup {
  readonly slot: number;
  /** Environment that binds its GPU. */
  readonly env: Readonly<Record<string, string>>;
  /** Environment of its kind of GPU, which an attempt's own overrides. Default: none. */
  readonly defaults?: Readonly<Record<string, string>>;
  /** The index of its GPU among the `cards` of its vendor. */
  readonly gpu?: number;
  /** Of its GPU. */
  readonly vendor?: "amd" | "nvidia";
  /** Its name for the lock between runs: the index of its GPU, with the vendor before it where the node has GPUs of two, or `cpu-` and its number among the CPU slots. Slots that share a GPU have the same. */
  readonly lock?: string;
}

/** What many attempts have in common. */
export interface AttemptSpec {
  /** The first words of the command line. A staged script is named by its path relative to the working directory. */
  readonly argv: string[];
  /** Environment of the program. */
  readonly env: Readonly<Record<string, string>>;
  /** Staged files: path in the working copy, SHA-256, mode, size. Each slot has copies of its own; files of more than 4 MiB may be read-only links that slots share. */
  readonly files: [path: string, sha256: string, mode: number, sizeBytes: number][];
  /** SHA-256 of the manifest of the project. Its files lie in the working copy. Default: there is none. */
  readonly tree?: string;
  /** The key of a build of the project. Its outputs lie over the project's files. Default: there is none. */
  readonly build?: string;
  /** The working directory, relative to the working copy. Default: its top. */
  readonly cwd?: string;
  /** Folders of the working copy that PYTHONPATH begins with. */
  readonly pythonPath?: string[];
  /** A folder of the node in which the program runs, absolute or in `~`, instead of a working copy. Its `files` then lie in a/ID/work below the run's folder. */
  readonly directory?: string;
  /** With `directory`: those of `outputs` that are written there. A file that is there already is set aside before the start, and restored at the end. The other outputs lie in a/ID/work. */
  readonly plain?: string[];
  /** With `directory`: where the program's own file may lie in it. `program` reports the SHA-256 of the first that exists. */
  readonly watch?: string[];
  /** Paths of the declared files, relative to the top of the working copy. */
  readonly outputs: string[];
  /** Those of `outputs` that are empty files when the program starts. */
  readonly append?: string[];
  /** Outputs whose names are found when the program has ended. */
  readonly found?: FoundOutputs[];
  /** How many files `found` may have in all. */
  readonly fileLimit?: number;
  /** What the program prints is an output, of this size at most; a program that prints more is ended. Default: it is only a log. */
  readonly stdoutLimit?: number;
  /** Whether its stdin, stdout and stderr are a terminal of 80 columns and 24 rows; what it prints there is `stdout`, and `tail` is the end of that. Default: stdin is /dev/null, the others are files. */
  readonly tty?: boolean;
  /** How long it may run. Default: without limit. */
  readonly timeout?: number;
  /** Seconds between SIGTERM and SIGKILL, where it is ended. Default: 5. */
  readonly grace?: number;
  /** How the program's state is kept. Default: it has none. */
  readonly state?: StateSettings;
  /** How long it may make no progress that it reports, before it is ended. Default: without limit. */
  readonly stall?: number;
  /** Size of one output at most; of `found`: of all files of one. */
  readonly limit: number;
  /** How many of `files`, at their end, are inputs of the job. For the program. Default: none. */
  readonly inputs?: number;
  /** The job's parameters as JSON. For the program. */
  readonly params?: string;
  /** The program is a worker that takes chunk after chunk. A new one is started for another `isolate`, program, environment or project, and when a limit is reached. Default: each attempt starts the program. */
  readonly warm?: {
    /** Chunks of one worker at most. */
    readonly chunks?: number;
    /** How long a worker takes chunks at most. */
    readonly after?: number;
    /** Host memory of a worker that ends after its chunk. */
    readonly memory?: number;
    /** Chunks with different values get different workers. */
    readonly isolate?: string;
  };
  /** Host memory that a chunk needs. Default: what earlier chunks of the program used. */
  readonly memory?: number;
  /** How many threads the program should have: OMP_NUM_THREADS and its like are set to it, unless the environment has OMP_NUM_THREADS. Default: they are not set. */
  readonly threads?: number;
}

/** A program writes its state into a folder below a/ID/state in the run's folder, and its name into the file `current` there. */
export interface StateSettings {
  /** Seconds between two looks for a new state while it runs. */
  readonly every: number;
  /** Bytes of all files of a state at most. */
  readonly limit: number;
}

/** Files that the program made or changed in a folder. */
export interface FoundOutputs {
  /** How the job names them. */
  readonly written: string;
  /** The folder, relative to the top of the working copy. */
  readonly base: string;
  /** A regular expression that the whole path of a file below the folder matches. Default: all files. */
  readonly pattern?: string;
  /** How many names such a path has. Default: any number. */
  readonly depth?: number;
  /** With fewer files the attempt fails. */
  readonly atLeast: number;
  /** With more files the attempt fails. Default: no limit of its own. */
  readonly atMost?: number;
}

/** From the agent to the coordinator. */
export type AgentMessage =
  | HelloMessage
  | HeldMessage
  | RefusedMessage
  | StartedMessage
  | PreemptedMessage
  | DoneMessage
  | SplitMessage
  | ProgressMessage
  | ValuesMessage
  | IdleMessage
  | SavedMessage
  | SlotHolderMessage
  | BrokenMessage
  | CardsMessage
  | MemoryMessage
  | LookedMessage
  | FoundMessage
  | TakenMessage
  | UnpackedMessage
  | TreeMessage
  | BuiltMessage
  | LacksMessage
  | ProgramMessage
  | ProblemMessage
  | PongMessage
  | ByeMessage;

/** The answer to an `open` that the agent accepts. What `held` lists may differ between versions. */
export interface HelloMessage {
  readonly ev: "hello";
  /** The version of this protocol. */
  readonly muster: number;
  /** The node's boot id. */
  readonly boot: string;
  /** Process id of the agent. */
  readonly pid: number;
  /** When it started, in clock ticks since boot (field 22 of /proc/PID/stat). */
  readonly started: number;
  /** Absolute path of the run's folder on the node. */
  readonly root: string;
  /** Attempts that no coordinator has acknowledged, finished or not: the first of them. */
  readonly held: HeldAttempt[];
  /** Whether messages `held` with the others follow. */
  readonly more?: boolean;
  /** The CPU cores that the agent may use. */
  readonly cores?: number;
  /** The names of the locks of the slots that an earlier coordinator gave it, by slot number. A coordinator whose slots have others stops the agent. Default: none. */
  readonly locks?: Readonly<Record<string, string>>;
}

/** Further attempts that belong to the last `hello`. */
export interface HeldMessage {
  readonly ev: "held";
  /** The next ones. */
  readonly attempts: HeldAttempt[];
  /** Whether another message `held` follows. */
  readonly more: boolean;
}

/** The answer to an `open` that the agent does not accept. Nothing changes, and the connection ends. */
export interface RefusedMessage {
  readonly ev: "refused";
  /** Nonce of the coordinator that the agent belongs to. */
  readonly owner: string;
}

/** The program of an attempt runs. Not sent where its `done` is sent at the same time. */
export interface StartedMessage {
  readonly ev: "started";
  readonly id: string;
}

/** A running attempt that keeps a state is being ended, because a run of higher priority waits for one of its slots, or for a permit of `max`. Its `done` follows. */
export interface PreemptedMessage {
  readonly ev: "preempted";
  readonly id: string;
  /** The name of that run. */
  readonly run: string;
}

/** The result of an attempt. It is sent again to each new coordinator until one acknowledges it. */
export interface DoneMessage {
  readonly ev: "done";
  readonly id: string;
  /** The chunk's id. */
  readonly chunk: string;
  readonly slot: number;
  /** Exit code; null where it has none. */
  readonly exit: number | null;
  /** The signal that ended it; null where none did. */
  readonly signal: number | null;
  /** It ran for longer than its timeout. */
  readonly timeout: boolean;
  /** It was cancelled, so it did not fail. */
  readonly cancelled: boolean;
  /** Its agent died while it ran. */
  readonly lost?: boolean;
  /** With `lost`: the node has not rebooted since it started. For the agent itself, which reads it back from its journal. */
  readonly agentDied?: boolean;
  /** How long it ran. */
  readonly seconds: number;
  /** The GPUs that it was bound to, as far as their addresses are known. Default: none. */
  readonly cards?: {
    /** The index. */
    readonly gpu: number;
    /** The PCI address. */
    readonly pci: string;
    /** As NVIDIA's tool reports it. */
    readonly uuid?: string;
  }[];
  /** What it used of these GPUs: those that were looked at while it ran. Default: none was. */
  readonly usage?: CardUsage[];
  /** Where its range ended, if it gave a part away. */
  readonly end?: string;
  /** The declared files that exist, and those that were found. */
  readonly outputs: OutputReport[];
  /** Declared outputs that do not exist, or are not regular files, with what is there instead. */
  readonly missing: string[];
  /** Where declared outputs are missing: files that the program wrote instead, relative to its working directory. */
  readonly written?: string[];
  /** Where an OOM kill of its program was seen. */
  readonly outOfMemory?: "kernel log" | "cgroup";
  readonly stdout: LogReport;
  readonly stderr: LogReport;
  /** The last lines of stderr; of stdout if a failed attempt printed only there. */
  readonly tail: string;
  /** Why it could not run, or why its result is incomplete. */
  readonly error?: string;
  /** With `error`: its program says that no further attempt can succeed. */
  readonly final?: boolean;
  /** How much of `seconds` a warm worker took before it asked for its first chunk. */
  readonly loading?: number;
  /** The intermediate values that its program has reported, in order. Default: none. */
  readonly values?: readonly [step: number, value: number | null][];
  /** With `cancelled`: its outputs are kept, as `keep` of `cancel` asked for. */
  readonly stopped?: boolean;
  /** It was ended for a run of higher priority. Default: it was not. */
  readonly preempted?: {
    /** The name of that run. */
    readonly run: string;
    /** Whether its program had saved a state with other files than the one that it was given. */
    readonly saved: boolean;
  };
  /** Where it failed, and there was no room in the run's folder then. */
  readonly fullDisk?: FullDisk;
  /** Where it has no result: the last state that its program saved. */
  readonly state?: SavedState;
}

/** The program of a running attempt has saved a new state. */
export interface SavedMessage {
  readonly ev: "saved";
  readonly id: string;
  readonly state: SavedState;
}

/** A state that a program has saved, in a folder that stays until the second state after it or the end of the attempt. Where there is an `error`, it cannot be kept. */
export interface SavedState {
  /** Of the folder that `current` names. */
  readonly name: string;
  /** Its files lie in a/ID/saved/FOLDER below the run's folder. */
  readonly folder: number;
  /** Its files. */
  readonly files: StateFile[];
  /** Why it cannot be kept, for the user. */
  readonly error?: string;
}

/** A file system to which nothing, or next to nothing, can be written. */
export interface FullDisk {
  /** The folder that was looked at. */
  readonly path: string;
  /** Bytes that the user may still write. */
  readonly free: number;
  /** Bytes of the file system. */
  readonly total: number;
  /** 0 where no further file can be created. */
  readonly inodes?: 0;
  /** The user's quota is used up. */
  readonly quota?: boolean;
}

/** The answer to `split`. */
export interface SplitMessage {
  readonly ev: "split";
  readonly id: string;
  /** Where its range ends now; absent where its program gives nothing away. */
  readonly end?: string;
  /** The program has its range file locked at the moment. */
  readonly busy?: boolean;
}

/** Another run holds a slot that has work, or is to have the GPU that the slot shares next, or holds all permits of `max` that it could use. Sent again, without `holder`, when this run has what it needs, or the slot has no work any more and is free. */
export interface SlotHolderMessage {
  readonly ev: "slot";
  readonly slot: number;
  /** The name of the run; with `foreign`, what is known of the process: its uid and pid. */
  readonly holder?: string;
  /** It is no run of the same user. */
  readonly foreign?: boolean;
  /** The holder has a lower priority and ends what it runs on the slot, after so many seconds at most. */
  readonly ending?: number;
}

/** A slot can no longer be used: a process on it does not die. */
export interface BrokenMessage {
  readonly ev: "broken";
  readonly slot: number;
  /** For the user. */
  readonly reason: string;
}

/** All slots whose GPU the agent gives no chunks: it is lost, or its memory is not free again. */
export interface CardsMessage {
  readonly ev: "cards";
  /** These slots. */
  readonly sick: SickCard[];
}

/** How far running attempts are: those whose programs report it, and only where it has changed. A coordinator gets it if its `open` has `progress`. */
export interface ProgressMessage {
  readonly ev: "progress";
  /** Some of them; further messages may follow at once. */
  readonly attempts: ReportedProgress[];
}

/** Intermediate values that the program of a running attempt has reported, in order. A coordinator gets them if its `open` has `progress`: from the first one on, also after it was attached before. */
export interface ValuesMessage {
  readonly ev: "values";
  readonly id: string;
  /** How many values precede these. */
  readonly from: number;
  /** The next ones. */
  readonly values: readonly [step: number, value: number | null][];
}

/** A GPU computes nothing while an attempt on it goes on. Sent once each time. */
export interface IdleMessage {
  readonly ev: "idle";
  readonly id: string;
  readonly pci: string;
  /** Since when, counted from the attempt's start. */
  readonly at: number;
  /** For how long. */
  readonly seconds: number;
}

/** All slots whose next chunk waits for host memory. */
export interface MemoryMessage {
  readonly ev: "memory";
  /** These slots. */
  readonly waiting: number[];
}

/** The answer to `look`. */
export interface LookedMessage {
  readonly ev: "looked";
  /** One for each script, in order. */
  readonly answers: ScriptResult[];
}

/** Answers `find`. Each set of files is a bit for each, the highest bit of a byte first, in base64. */
export interface FoundMessage {
  readonly ev: "found";
  /** Of the question. */
  readonly id: number;
  /** Those that must be sent. No other run on the node asks for them meanwhile. */
  readonly missing: string;
  /** Those that another run is sending. `taken` follows for each: not stored = it must be sent. Default: none. */
  readonly awaited?: string;
  /** Why the node cannot store contents. */
  readonly error?: string;
}

/** Answers `take`, and tells what became of a content that was awaited. */
export interface TakenMessage {
  readonly ev: "taken";
  readonly sha256: string;
  /** Whether the content is stored in whole. */
  readonly stored: boolean;
  /** Why it cannot be stored. */
  readonly error?: string;
}

/** Answers `unpack`. */
export interface UnpackedMessage {
  readonly ev: "unpacked";
  /** Of the pack. */
  readonly sha256: string;
  /** Whether all of its files are stored; otherwise other bytes arrived. */
  readonly stored: boolean;
  /** Why they cannot be stored. */
  readonly error?: string;
}

/** Answers `tree`. Without `missing`, the manifest itself is missing. */
export interface TreeMessage {
  readonly ev: "tree";
  readonly sha256: string;
  /** A bit for each file in the manifest's order, the highest bit of a byte first, in base64: whether it is missing. */
  readonly missing?: string;
  /** Why the node cannot store the project. */
  readonly error?: string;
}

/** Answers `build`. The coordinator finds what the build printed in the file `build.log` of the run's folder, where `log` is given. */
export interface BuiltMessage {
  readonly ev: "built";
  /** Of the request. */
  readonly id: string;
  /** Of the result, for specs; absent where it failed. */
  readonly key?: string;
  /** The result of an earlier build was used. */
  readonly cached: boolean;
  /** How long the program ran. */
  readonly seconds: number;
  /** Why it failed. */
  readonly error?: string;
  /** The size of what it printed. */
  readonly log?: number;
  /** The end of what it printed. */
  readonly tail?: string;
}

/** A staged file is gone, or was changed. It must be staged again before another chunk that needs it starts. */
export interface LacksMessage {
  readonly ev: "lacks";
  readonly sha256: string;
}

/** The file of a program that runs in a folder of the node. Sent before its first attempt for a coordinator starts, and when the file has changed since. */
export interface ProgramMessage {
  readonly ev: "program";
  /** Relative to that folder. */
  readonly path: string;
  readonly sha256: string;
}

/** A problem on the node, for the user. */
export interface ProblemMessage {
  readonly ev: "problem";
  /** What went wrong, and where. */
  readonly message: string;
}

/** The answer to `ping`. */
export interface PongMessage {
  readonly ev: "pong";
}

/** The answer to `stop`, and the last line. */
export interface ByeMessage {
  readonly ev: "bye";
  /** What of the run is still on the node, and why; absent where nothing is. */
  readonly left?: string;
}

/** An attempt that no coordinator has acknowledged. */
export interface HeldAttempt {
  readonly id: string;
  /** The chunk's id. */
  readonly chunk: string;
  readonly slot: number;
  /** All of its slots, where it has several. */
  readonly slots?: number[];
  /** `done`: a message `done` has its result. */
  readonly state?: "queued" | "running" | "done";
  /** Where its range ends now, if it gave a part away. */
  readonly end?: string;
  /** How long it has been running, if it is. */
  readonly seconds?: number;
  /** Seconds between SIGTERM and SIGKILL, if it runs. Default: 5. */
  readonly grace?: number;
  /** Its agent died while it ran, and the node has not rebooted since it started. */
  readonly agentDied?: boolean;
}

/** How far an attempt is: `next` or `share`. */
export interface ReportedProgress {
  readonly id: string;
  /** The first unit of its range that it has not begun. */
  readonly next?: string;
  /** The share that is done, 0 to 1. */
  readonly share?: number;
  /** What it does, in its program's words. */
  readonly text?: string;
}

/** What an attempt used of a GPU. Means are weighted with time, and over all samples while it ran; a figure is absent where the GPU has none. */
export interface CardUsage {
  readonly pci: string;
  /** How often it was looked at. */
  readonly samples: number;
  /** How much of the attempt's time the samples stand for. */
  readonly seconds: number;
  /** The attempt's part of the GPU, 0 to 1, on average. Default: 1. */
  readonly share?: number;
  /** The energy of that time: the attempt's part, where several attempts share the GPU. */
  readonly wattHours?: number;
  /** Percent of the time in which it computed. */
  readonly busy?: SampledFigure;
  /** Bytes of its memory. */
  readonly used?: SampledFigure;
  /** Its power. */
  readonly watts?: SampledFigure;
  /** The temperature at its edge. */
  readonly celsius?: SampledFigure;
  /** At its hottest place. */
  readonly junctionCelsius?: SampledFigure;
  /** Of its memory. */
  readonly memoryCelsius?: SampledFigure;
  /** The clock of its cores. */
  readonly mhz?: SampledFigure;
  /** The clock of its memory. */
  readonly memoryMhz?: SampledFigure;
  /** Percent of its fan's full speed. */
  readonly fan?: SampledFigure;
  /** How long its clocks were held down. Absent where the GPU does not say. */
  readonly throttled?: ThrottledSeconds;
  /** How long it computed nothing, in stretches as long as `open` says. */
  readonly idleSeconds?: number;
}

/** How long the clocks of a GPU were held down, by reason. Reasons may overlap. */
export interface ThrottledSeconds {
  /** It was too hot. */
  readonly heat?: number;
  /** It was at its power limit. */
  readonly power?: number;
  /** It was at a limit of its current. */
  readonly current?: number;
  /** Its hardware slowed it down, and does not say why. */
  readonly hardware?: number;
}

/** A figure of a GPU over the time of an attempt. */
export interface SampledFigure {
  /** Weighted with time. */
  readonly mean: number;
  /** The largest. */
  readonly max: number;
}

/** An output of an attempt. */
export interface OutputReport {
  /** Relative to the top of the working copy. */
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  readonly sha256: string;
  /** Its content in base64, where it is small. */
  readonly data?: string;
}

/** stdout or stderr of an attempt. */
export interface LogReport {
  /** On the node. */
  readonly size: number;
  /** How much was dropped, because the log grew too long. */
  readonly cut?: number;
  /** Of stdout, where it is an output. */
  readonly sha256?: string;
  /** Its content in base64, where it is small. */
  readonly data?: string;
}

/** What a script printed. */
export interface ScriptResult {
  /** Exit code; null where it has none. */
  readonly exit: number | null;
  /** As UTF-8, cut to 256 KiB. */
  readonly stdout: string;
  /** Likewise. */
  readonly stderr: string;
  /** Why it has no exit code. */
  readonly error?: string;
}

/** A slot whose GPU gets no chunks. */
export interface SickCard {
  readonly slot: number;
  /** For the user. */
  readonly reason: string;
  /** It lasts: chunks should not wait for it. */
  readonly lasting: boolean;
}
