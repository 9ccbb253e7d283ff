// Generated from schemas/*.json by `npm run generate`; changes belong there.

/**
 * The user to log in as. Default: what `~/.ssh/config` says, else the user who runs muster.
 */
export type User = string;
/**
 * The port of sshd. Default: what `~/.ssh/config` says, else 22.
 */
export type Port = number;
/**
 * A private key for the login; may begin with `~/`. Default: the SSH agent and what `~/.ssh/config` says.
 */
export type IdentityFile = string;
/**
 * The file of known host keys; may begin with `~/`. Default: `~/.ssh/known_hosts` and what `~/.ssh/config` says.
 */
export type KnownHosts = string;
/**
 * What an unknown host key gets: `strict` refuses it, `accept-new` records it once. A changed key is always refused. Default: what `StrictHostKeyChecking` of `~/.ssh/config` says, `strict` where that is silent.
 */
export type HostKeys = "strict" | "accept-new";
/**
 * The folder on the node that muster works in; may begin with `~/`. Default: `~/.muster`.
 */
export type Workdir = string;
/**
 * The Python (3.8 or later) on the node, a name or a path. Default: `python3`.
 */
export type Python = string;
/**
 * Python modules that must be there for that Python; the playbook `python` checks them. Default: none.
 */
export type PythonModules = string[];
/**
 * How long a node may leave us without an answer, on its connection, by its agent or by its file server, before it counts as silent: then its `grace` begins, and it is dialled again. Default: `40s`.
 */
export type Silence = string | number;
/**
 * Silence of a node before its chunks are given to others. Reconnections that last less than 10 s do not end it. Default: `60s`.
 */
export type Grace = string | number;
/**
 * How long the agent of a run stays on a node without hearing from a coordinator. Default: `40m`.
 */
export type Lease = string | number;
/**
 * GPUs are looked at before a run's first chunk on them, and again after each such pause while it uses them (`rocm-smi`, `amd-smi`, `nvidia-smi`): a sick one gets no work until it is well. `never`: no looks. Default: `60s`.
 */
export type GpuCheck = string | number;
/**
 * The most chunks that run on the node at one time. Default: one a slot.
 */
export type MaxConcurrent = number;
/**
 * Units a second of one GPU (or CPU slot): a first guess, then learned.
 */
export type Rate = number;
/**
 * CPU slots of the node. Default: none beside GPUs, one a core where there is no GPU.
 */
export type Slots = number;
/**
 * Whose GPUs: decides how they are found and bound. Default: `none`.
 */
export type Vendor = "amd" | "nvidia" | "none";
/**
 * The model, as a job's `needs.model` names it, e.g. `RX 6600`.
 */
export type Model = string;
/**
 * Memory of one GPU, e.g. `8GiB`.
 */
export type Vram = string | number;
/**
 * How many GPUs the node has; fewer found is a fault. Default: as many as are found.
 */
export type Gpus = number;
/**
 * A machine.
 */
export type Node = {
  /**
   * How it is reached: `ssh`, or `local` for the machine that muster runs on. Default: `ssh`.
   */
  connection?: "ssh" | "local";
  /**
   * Its address, its name, or an alias of `~/.ssh/config`. Default: the node's name.
   */
  host?: string;
  /**
   * The name of its profile. Default: none, a node without GPUs.
   */
  profile?: string;
  /**
   * Words that `--limit` and a job's `needs.nodes` may use for it.
   */
  tags?: string[];
  /**
   * The PCI addresses that its GPUs must have, e.g. `0000:03:00.0`; the playbook `gpu` names the one that is missing. Default: any.
   */
  pci?: string[];
  user?: User;
  port?: Port;
  identity_file?: IdentityFile;
  known_hosts?: KnownHosts;
  host_keys?: HostKeys;
  workdir?: Workdir;
  python?: Python;
  python_modules?: PythonModules;
  silence?: Silence;
  grace?: Grace;
  lease?: Lease;
  gpu_check?: GpuCheck;
  max_concurrent?: MaxConcurrent;
  gpus?: Gpus;
  slots?: Slots;
  vendor?: Vendor;
  model?: Model;
  vram?: Vram;
  rate?: Rate;
  env?: Env;
  kernel?: Kernel;
  limits?: Limits;
} | null;

/**
 * The inventory (`inventory.yaml`): the nodes, what kind of GPUs they have, and what they must be.
 */
export interface InventoryFile {
  /**
   * What holds for every node unless its profile or the node itself says otherwise.
   */
  defaults?: {
    user?: User;
    port?: Port;
    identity_file?: IdentityFile;
    known_hosts?: KnownHosts;
    host_keys?: HostKeys;
    workdir?: Workdir;
    python?: Python;
    python_modules?: PythonModules;
    silence?: Silence;
    grace?: Grace;
    lease?: Lease;
    gpu_check?: GpuCheck;
    max_concurrent?: MaxConcurrent;
    rate?: Rate;
    env?: Env;
    kernel?: Kernel;
    limits?: Limits;
    slots?: Slots;
    /**
     * The job type of a jobs-file entry that names neither a script nor a type. Default: `analysis`.
     */
    route?: string;
  };
  /**
   * Kinds of GPU, by name.
   */
  profiles?: {
    /**
     * A kind of GPU: what all nodes with such GPUs share.
     */
    [k: string]: {
      vendor?: Vendor;
      model?: Model;
      vram?: Vram;
      rate?: Rate;
      env?: Env;
      kernel?: Kernel;
      limits?: Limits;
      user?: User;
      port?: Port;
      identity_file?: IdentityFile;
      known_hosts?: KnownHosts;
      host_keys?: HostKeys;
      workdir?: Workdir;
      python?: Python;
      python_modules?: PythonModules;
      silence?: Silence;
      grace?: Grace;
      lease?: Lease;
      gpu_check?: GpuCheck;
      max_concurrent?: MaxConcurrent;
      gpus?: Gpus;
      slots?: Slots;
    };
  };
  /**
   * The machines, by name. What a node says overrides its profile and the defaults.
   */
  nodes: {
    [k: string]: Node;
  };
  /**
   * What `muster provision` and `muster verify` mean without a name.
   */
  playbooks?: string[];
  /**
   * Folders in the nodes' memory and what they hold: absolute path on the node -> files of the coordinator, relative to the inventory.
   */
  ramdisk?: {
    /**
     * @minItems 1
     */
    [k: string]: string[];
  };
  /**
   * Files and folders kept in step by content: path on the node (absolute or `~/...`) -> path here, relative to the inventory. A folder ends in `/` on both sides.
   */
  files?: {
    [k: string]: string;
  };
  /**
   * Folders of `files` (the same words) in which what the source does not have is deleted on the node. Without this it is only reported.
   */
  delete_stale?: string[];
  /**
   * One value that stands in several files of a node, by name.
   */
  manifests?: {
    /**
     * A value and the places where it must stand.
     */
    [k: string]: {
      /**
       * The value.
       */
      value: string | number | bigint | boolean;
      /**
       * Where it stands; the place that wins at run time comes last.
       *
       * @minItems 1
       */
      in: Spot[];
    };
  };
  /**
   * Job types of a jobs file: type -> what runs.
   */
  routes?: {
    [k: string]: Route;
  };
}
/**
 * Environment of every chunk, set before its program begins. Merged key by key: defaults, profile, node.
 */
export interface Env {
  [k: string]: string | number | bigint | boolean;
}
/**
 * Kernel module parameters the node must have, `module.parameter: value`, as they read under `/sys/module`.
 */
export interface Kernel {
  [k: string]: string | number | bigint | boolean;
}
/**
 * Bounds on a job's values, by name: of its `params` or `matrix`, or after `--NAME` in its `args`.
 */
export interface Limits {
  /**
   * Bounds on one parameter.
   */
  [k: string]: {
    /**
     * The value that measured best: a larger one is noted.
     */
    best?: number;
    /**
     * The largest value that is safe: a larger one is refused before anything runs.
     */
    max?: number;
  };
}
/**
 * A file of the node, and where in it the value stands: one of `assignment`, `pointer`, `yaml` and `regex`.
 */
export interface Spot {
  /**
   * The file on the node, absolute or `~/...`.
   */
  file: string;
  /**
   * The name in a line `NAME=value` of a shell script.
   */
  assignment?: string;
  /**
   * A JSON pointer into a JSON file, e.g. `/default_params/chunk_size`.
   */
  pointer?: string;
  /**
   * A path into a YAML file, written as a JSON pointer, e.g. `/training/chunk_size`.
   */
  yaml?: string;
  /**
   * A regular expression (JavaScript's; `^` and `$` mean lines) whose one group is the value, e.g. `^chunk = (\d+)`.
   */
  regex?: string;
}
/**
 * What a job type runs.
 */
export interface Route {
  /**
   * The script, relative to the inventory; staged.
   */
  script: string;
  /**
   * Its arguments. `{key}` stands for the job's own key, `{chunk}` `{out}` `{gpu}` for what they are in a job file. The job's own `args` follow.
   */
  args?: (string | number | bigint | boolean)[];
  /**
   * Files or folders that are staged too, relative to the inventory.
   */
  inputs?: string[];
  /**
   * Files it writes under `{out}`; may use `{key}`. Default: what follows `--output`.
   */
  outputs?: string[];
}

/**
 * A job: what to compute, over a range of integers, a list of tasks, or every combination of a matrix.
 */
export interface JobFile {
  /**
   * The job's name, also of its run directory. Default: the file's name without its ending.
   */
  name?: string;
  /**
   * What the job is spread over: `range`, `tasks` or `matrix`.
   */
  kind: "range" | "tasks" | "matrix";
  /**
   * Of a range: `[start, end]`, half-open; exact whatever its size.
   *
   * @minItems 2
   * @maxItems 2
   */
  range?: [number | bigint, number | bigint];
  /**
   * Of a range: units a chunk. A number fixes it. With `base` and no `target` it follows from a slot's rate alone: the slowest slot gets `base`, one that is six times as fast six times as much. Else chunks are made to take `target`. Near the end they shrink, so that all slots finish together.
   */
  chunk?: number | {base?: number; target?: string | number; min?: number; max?: number};
  /**
   * Of tasks: what runs, one entry a chunk. In a file that ends in `.ndjson` or `.jsonl` each line is a task, and the first line may be the job itself, without `tasks`.
   *
   * @minItems 1
   */
  tasks?: Task[];
  /**
   * Of a matrix: key -> values; every combination is a chunk. A pair of integers is a half-open range.
   */
  matrix?: {
    /**
     * Values of one key.
     *
     * @minItems 1
     */
    [k: string]: (string | number | bigint | boolean)[];
  };
  /**
   * The program, relative to the job file; staged once a node. Runs by its own first line when it is executable, `*.py` under the node's python otherwise.
   */
  script?: string;
  /**
   * A program that is on the nodes already, and its first arguments; instead of `script`. `args` come after them.
   *
   * @minItems 1
   */
  command?: (string | number | bigint | boolean)[];
  /**
   * Arguments, passed byte for byte. They may use `{chunk}` `{out}` `{gpu}`, of a range `{start}` `{end}`, of a matrix its keys, and `params`; `{{` and `}}` are braces. Of tasks: for every task that has neither `args` nor a program of its own.
   */
  args?: (string | number | bigint | boolean)[];
  /**
   * Files or folders, relative to the job file; staged, and found by the same relative path from the working directory. Of tasks: for every task.
   */
  inputs?: string[];
  /**
   * Files that the program writes under `{out}`. A chunk is done when it exits 0 and all of them exist. Of tasks: for every task that has no `outputs` of its own.
   */
  outputs?: string[];
  /**
   * What a slot must offer.
   */
  needs?: {
    /**
     * GPUs of this vendor; `none` asks for CPU slots.
     */
    vendor?: "amd" | "nvidia" | "none";
    /**
     * GPUs of this model, as the profile names it.
     */
    model?: string;
    /**
     * GPU memory, e.g. `8GiB`.
     */
    vram?: string | number;
    /**
     * Host memory of one chunk, e.g. `1GiB`: bounds how many run on a node at one time.
     */
    memory?: string | number;
    /**
     * Only these: names, tags or globs of the inventory.
     *
     * @minItems 1
     */
    nodes?: string[];
    /**
     * Playbooks that a node must pass before it gets work.
     */
    playbooks?: string[];
  };
  /**
   * Values that `args` may use by name; `--set` changes them, the profile's `limits` bound them: what is above `max` on any node that may run the job is refused, what is above `best` is noted.
   */
  params?: {
    [k: string]: string | number | bigint | boolean;
  };
  /**
   * Environment of every chunk; wins over the node's.
   */
  env?: {
    [k: string]: string | number | bigint | boolean;
  };
  /**
   * A file of further environment, relative to the job file; `~` is the home folder. A line `KEY=VALUE` for each variable, comments begin with `#`; quotes around a whole value are left out. `env` wins over it. Its values go to the chunks alone: into no log, journal or command line.
   */
  env_file?: string;
  /**
   * The longest a chunk may run, e.g. `10m`; then its whole process group is killed. Default: no limit.
   */
  timeout?: string | number;
  /**
   * What a chunk may leave behind.
   */
  limits?: {
    /**
     * Largest size of one output, e.g. `500MiB`; a larger one fails its attempt and is never fetched. Default: `4GiB`.
     */
    output?: string | number;
  };
  /**
   * Computes this share of the chunks, e.g. `1%`, a second time on a slot of another node (on another slot, if there is one node) and compares the outputs, which must be equal byte for byte. Results that differ fail the run (exit 3) and are reported with both slots; the first result stays. Every run of a job selects the same chunks. As a mapping: `{share: 1%, tolerance: 1e-6}`.
   */
  recheck?: string | number | {share: string | number; tolerance?: number};
  /**
   * The earlier name of `recheck`; it stays valid.
   */
  canary?: string | number | {share: string | number; tolerance?: number};
  /**
   * What happens to a chunk that fails.
   */
  retry?: {
    /**
     * Tries in all. A try counts, too, where the agent of the node died while the chunk ran and the node did not reboot; after two such tries the chunk runs alone on a node. Default: 3.
     */
    attempts?: number;
    /**
     * Pause before the second try; doubles with each further one. Default: `1s`.
     */
    backoff?: string | number;
  };
  /**
   * How long a task or a combination takes on the slowest kind of slot, more or less, e.g. `90s`. Tasks that take long begin first, and on the fastest slots: what counts is what they say of one another. Default: what earlier runs have learned of the script.
   */
  expect?: string | number;
  /**
   * Of runs that share a GPU the one with the larger goes first, between chunks; equal ones take turns. Default: 0.
   */
  priority?: number;
  /**
   * One file made from an output of every chunk, in chunk order.
   */
  aggregate?: {
    /**
     * The output that is gathered: one of `outputs`.
     */
    from: string;
    /**
     * `array`: JSON values into one array. `lines`: one a line. `concat`: bytes one after the other.
     */
    as: "array" | "lines" | "concat";
    /**
     * The file in the run directory.
     */
    to: string;
  };
  /**
   * `files` keeps outputs as files; `lines` makes a chunk's JSON output its line of results.ndjson and keeps no file. Default: `files`.
   */
  collect?: "files" | "lines";
}
/**
 * One task. What it leaves out, it takes from the job; `args` only together with the job's program. `inputs` and `env` are added to the job's.
 */
export interface Task {
  /**
   * Its name, unique in the job and safe as a file name.
   */
  id: string | number | bigint | boolean;
  /**
   * Replaces the job's `script` or `command`, and the `args` that go with it. The program, relative to the job file; staged once a node. Runs by its own first line when it is executable, `*.py` under the node's python otherwise.
   */
  script?: string;
  /**
   * Replaces the job's `script` or `command`, and the `args` that go with it. A program that is on the nodes already, and its first arguments; `args` come after them.
   *
   * @minItems 1
   */
  command?: (string | number | bigint | boolean)[];
  /**
   * Replaces the job's `args`, never the words of its `command`. Passed byte for byte. They may use `{chunk}` `{out}` `{gpu}` and `params`; `{{` and `}}` are braces.
   */
  args?: (string | number | bigint | boolean)[];
  /**
   * Added to the job's `inputs`. Files or folders, relative to the job file; staged, and found by the same relative path from the working directory.
   */
  inputs?: string[];
  /**
   * Replaces the job's `outputs`. Files that the program writes under `{out}`. The task is done when it exits 0 and all of them exist.
   */
  outputs?: string[];
  /**
   * Replaces the job's `expect`.
   */
  expect?: string | number;
  /**
   * Replaces the job's `priority`: tasks with a larger one begin first, however long they take.
   */
  priority?: number;
  /**
   * The index of the GPU it must run on.
   */
  gpu?: number;
  /**
   * Added to the job's `env`; wins over it.
   */
  env?: {
    [k: string]: string | number | bigint | boolean;
  };
  /**
   * Replaces the job's `timeout`.
   */
  timeout?: string | number;
}

/**
 * A jobs file of the Python coordinators: `{"jobs": [...]}`. Runs as it is; nothing in it is a placeholder. Inputs are the args that name existing files, outputs what follows `--output`. Keys that are not listed here are free, for `routes`. In a file that ends in `.ndjson` or `.jsonl` each line is one of `jobs`.
 */
export interface JobsFile {
  /**
   * The jobs.
   *
   * @minItems 1
   */
  jobs: Entry[];
  /**
   * The job's name, also of its run directory. Default: the file's name without its ending.
   */
  name?: string;
  /**
   * What a slot must offer.
   */
  needs?: {
    /**
     * GPUs of this vendor; `none` asks for CPU slots.
     */
    vendor?: "amd" | "nvidia" | "none";
    /**
     * GPUs of this model, as the profile names it.
     */
    model?: string;
    /**
     * GPU memory, e.g. `8GiB`.
     */
    vram?: string | number;
    /**
     * Host memory of one chunk, e.g. `1GiB`: bounds how many run on a node at one time.
     */
    memory?: string | number;
    /**
     * Only these: names, tags or globs of the inventory.
     *
     * @minItems 1
     */
    nodes?: string[];
    /**
     * Playbooks that a node must pass before it gets work.
     */
    playbooks?: string[];
  };
  /**
   * Environment of every chunk; wins over the node's.
   */
  env?: {
    [k: string]: string | number | bigint | boolean;
  };
  /**
   * A file of further environment, relative to the job file; `~` is the home folder. A line `KEY=VALUE` for each variable, comments begin with `#`; quotes around a whole value are left out. `env` wins over it. Its values go to the chunks alone: into no log, journal or command line.
   */
  env_file?: string;
  /**
   * The longest a chunk may run, e.g. `10m`; then its whole process group is killed. Default: no limit.
   */
  timeout?: string | number;
  /**
   * Computes this share of the chunks, e.g. `1%`, a second time on a slot of another node (on another slot, if there is one node) and compares the outputs, which must be equal byte for byte. Results that differ fail the run (exit 3) and are reported with both slots; the first result stays. Every run of a job selects the same chunks. As a mapping: `{share: 1%, tolerance: 1e-6}`.
   */
  recheck?: string | number | {share: string | number; tolerance?: number};
  /**
   * The earlier name of `recheck`; it stays valid.
   */
  canary?: string | number | {share: string | number; tolerance?: number};
  /**
   * What happens to a chunk that fails.
   */
  retry?: {
    /**
     * Tries in all. A try counts, too, where the agent of the node died while the chunk ran and the node did not reboot; after two such tries the chunk runs alone on a node. Default: 3.
     */
    attempts?: number;
    /**
     * Pause before the second try; doubles with each further one. Default: `1s`.
     */
    backoff?: string | number;
  };
  /**
   * How long a job takes on the slowest kind of slot, more or less, e.g. `90s`: the longest begin first, and on the fastest slots. Default: what earlier runs have learned of the script.
   */
  expect?: string | number;
  /**
   * Larger goes first. Default: 0.
   */
  priority?: number;
  [k: string]: unknown;
}
/**
 * One job.
 */
export interface Entry {
  /**
   * Its name, unique in the file. Default: its number.
   */
  job_id?: string | number | bigint | boolean;
  /**
   * The script, relative to the jobs file.
   */
  script?: string;
  /**
   * Arguments, passed as they are.
   */
  args?: (string | number | bigint | boolean)[];
  /**
   * The index of the GPU it must run on.
   */
  gpu_id?: number | null;
  /**
   * Replaces the file's `expect`, where it is a duration.
   */
  expect?: unknown;
  /**
   * Replaces the file's `priority`, where it is a whole number.
   */
  priority?: unknown;
  /**
   * The type, for `routes` of the inventory; `script` is one that names its own script. Default: `defaults.route`.
   */
  job_type?: string | null;
  /**
   * The same as `job_type`.
   */
  type?: string | null;
  /**
   * The same as `job_type`.
   */
  analysis_type?: string | null;
  [k: string]: unknown;
}

/**
 * When cron starts it: five fields like `0 2 * * *`, or `@reboot`, `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. `muster schedule install` puts it into the crontab.
 */
export type Schedule = string;
/**
 * Who is told, with the run's summary as JSON.
 *
 * @minItems 1
 */
export type Notices = Notice[];

/**
 * A pipeline: steps that need one another. Steps that do not run side by side; each has a folder of the pipeline's run directory.
 */
export interface PipelineFile {
  /**
   * `pipeline`; may be left out.
   */
  kind?: "pipeline";
  /**
   * The pipeline's name, also of its run directory. Default: the file's name without its ending.
   */
  name?: string;
  /**
   * The steps, by name.
   */
  steps: {
    [k: string]: Step;
  };
  schedule?: Schedule;
  /**
   * What a scheduled start does while an earlier one still runs: `skip` it, `wait` for it, or `fail` (exit 75). Default: `skip`.
   */
  overlap?: "skip" | "wait" | "fail";
  /**
   * How many finished scheduled runs are kept, or for how long, e.g. `30d`. Unfinished ones always are. Default: all.
   */
  keep?: number | string;
  /**
   * A file, relative to the pipeline's, that gets figures of each run when it is over, for node_exporter's textfile collector (`--metrics`).
   */
  metrics?: string;
  on_failure?: Notices;
  on_success?: Notices;
  on_drift?: Notices;
}
/**
 * One step: a `job`, a `provision`, a `verify`, or a `command`.
 */
export interface Step {
  /**
   * Steps that must be complete before it. Those that `inputs` name are needed anyway.
   */
  needs?: string[];
  /**
   * A job file or jobs file, relative to the pipeline's; it runs as it is.
   */
  job?: string;
  /**
   * Of a job: what `--set` would change.
   */
  set?: {
    [k: string]: string | number | bigint | boolean;
  };
  /**
   * Of a job: what `--range` would change, `[start, end]`.
   *
   * @minItems 2
   * @maxItems 2
   */
  range?: [number | bigint, number | bigint];
  /**
   * What it takes from other steps: path -> `STEP/FILE`. FILE is the step's aggregate, `results.ndjson`, or an output (`CHUNK/OUTPUT` of a matrix); `STEP` alone is all of its results. In a job the path is one of the job's `inputs`; a command finds it under `{in}`.
   */
  inputs?: {
    [k: string]: string;
  };
  /**
   * Playbooks that nodes are brought to.
   *
   * @minItems 1
   */
  provision?: string[];
  /**
   * Playbooks that nodes are checked against; drift fails the step.
   *
   * @minItems 1
   */
  verify?: string[];
  /**
   * Of `provision` and `verify`: only these (names, tags, globs).
   *
   * @minItems 1
   */
  nodes?: string[];
  /**
   * A program that runs here, in the pipeline file's folder, with its arguments: no shell. `{in}` and `{out}` are folders with its inputs and for its outputs; `{{` and `}}` are braces.
   *
   * @minItems 1
   */
  command?: (string | number | bigint | boolean)[];
  /**
   * Of a command: files that it writes under `{out}`. It is complete when it exits 0 and all of them exist.
   */
  outputs?: string[];
  /**
   * Of a command: the longest it may run; then its whole process group is killed. Default: no limit.
   */
  timeout?: string | number;
  /**
   * `changed`: its results are taken over from the last run in which it was complete, where job, inputs and parameters were the same. Default: `always`.
   */
  when?: "always" | "changed";
  schedule?: Schedule;
}
/**
 * A command, or a webhook.
 */
export interface Notice {
  /**
   * A program, with its arguments, that gets the summary on stdin; it runs in the pipeline file's folder.
   *
   * @minItems 1
   */
  command?: (string | number | bigint | boolean)[];
  /**
   * An http or https address that gets the summary by POST; tried three times. Where it holds a secret, use `webhook_env` or `webhook_file`.
   */
  webhook?: string;
  /**
   * The environment variable that holds the address.
   */
  webhook_env?: string;
  /**
   * The file that holds the address, relative to the pipeline's, or under `~/`.
   */
  webhook_file?: string;
  /**
   * Of a webhook: the environment variable with a token, sent as `Authorization: Bearer`.
   */
  token_env?: string;
  /**
   * Of a webhook: the file that holds the token, relative to the pipeline's, or under `~/`.
   */
  token_file?: string;
  /**
   * The longest one try may take. Default: `10s`.
   */
  timeout?: string | number;
}
