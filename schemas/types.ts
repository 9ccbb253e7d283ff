// Generated from schemas/*.json by `npm run generate`; changes belong there.

/**
 * The user to log in as. Default: from `~/.ssh/config`, else the user who runs muster.
 */
export type User = string;
/**
 * The port of sshd. Default: from `~/.ssh/config`, else 22.
 */
export type Port = number;
/**
 * The private key for the log-in; may begin with `~/`. Default: keys of the SSH agent and those of `~/.ssh/config`.
 */
export type IdentityFile = string;
/**
 * The file of known host keys; may begin with `~/`. Default: from `~/.ssh/config`, else `~/.ssh/known_hosts`.
 */
export type KnownHosts = string;
/**
 * What to do with an unknown host key: `strict` rejects it, `accept-new` records it once. A changed key is always rejected. Default: `StrictHostKeyChecking` of `~/.ssh/config`, else `strict`.
 */
export type HostKeys = "strict" | "accept-new";
/**
 * The folder on the node for muster's files; may begin with `~/`. Default: `~/.muster`.
 */
export type Workdir = string;
/**
 * The name or path of Python (3.8 or later) on the node. Default: `python3`.
 */
export type Python = string;
/**
 * Python modules that must be installed for this Python; the playbook `python` checks them. Default: none.
 */
export type PythonModules = string[];
/**
 * How long a node may leave keepalives, its agent's messages or file requests unanswered before it counts as silent. Then its `grace` period begins, and muster reconnects. Default: `40s`.
 */
export type Silence = string | number;
/**
 * How long a node may be silent before its chunks are requeued on other nodes. Reconnections that last less than 10 s do not reset this period. Default: `60s`.
 */
export type Grace = string | number;
/**
 * How long the agent of a run stays on a node without contact to a coordinator. Default: `40m`.
 */
export type Lease = string | number;
/**
 * How much the node's cache of staged files may hold: inputs, scripts, projects and builds, which later runs use again. A job with more input than that is refused. `0` keeps nothing after a run, and refuses no job. Default: a tenth of the file system, and at most 20 GiB, which only bounds what stays after a run.
 */
export type Cache = string | number;
/**
 * The interval of GPU health checks (`rocm-smi`, `amd-smi`, `nvidia-smi`), which also run before the first chunk of a run. A sick GPU gets no work until it has recovered. `never`: no checks. Default: `60s`.
 */
export type GpuCheck = string | number;
/**
 * How often the agent looks at the GPUs that chunks use, while they run: how busy they are, memory, power, temperatures, clocks, throttling. Each result gets mean, maximum and energy. At least `1s`; `never`: not at all. Default: `10s`.
 */
export type GpuSamples = string | number;
/**
 * What a kilowatt-hour costs, like `0.30/kWh`: reports then say what the energy of the GPUs cost. Default: unknown.
 */
export type Price = string | number;
/**
 * The most chunks that run on the node at once, of all runs together. Default: one per slot.
 */
export type MaxConcurrent = number;
/**
 * The share of `vram` that one program may use, e.g. `0.8`. The worker library limits PyTorch and CuPy to it; programs find it in `$MUSTER_GPU_MEMORY` (bytes) and `$MUSTER_GPU_MEMORY_FRACTION`. Default: no limit.
 */
export type MemoryFraction = string | number;
/**
 * How many chunks of one run share a GPU, unless the job's `needs.gpu_share` says otherwise. Default: 1.
 */
export type PerGpu = number;
/**
 * Units per second of one GPU (or CPU slot): the initial estimate, until muster has measured the rate.
 */
export type Rate = number;
/**
 * The number of CPU slots, which all runs on the machine share. Default: none if the node has GPUs, else one per core.
 */
export type Slots = number;
/**
 * The vendor of the GPUs, which decides how they are detected and bound. Default: `none`.
 */
export type Vendor = "amd" | "nvidia" | "none";
/**
 * The model, for `needs.model` of a job, e.g. `RX 6600`.
 */
export type Model = string;
/**
 * Memory of one GPU, e.g. `8GiB`.
 */
export type Vram = string | number;
/**
 * The power limit of each GPU, e.g. `100W`, within the limits of the card. The playbook `power` keeps it and the five keys that follow; all of them are lost at a reboot.
 */
export type Power = string | number;
/**
 * The fan of each GPU: `auto`, or a share of its full speed, e.g. `60%`. AMD only, because `nvidia-smi` cannot set it.
 */
export type Fan = string | number;
/**
 * The performance level of each GPU (`power_dpm_force_performance_level`). AMD only.
 */
export type Perf = "auto" | "manual" | "high" | "low";
/**
 * The persistence mode of each GPU. Without it the driver forgets settings when the last program ends. NVIDIA only.
 */
export type Persistence = "on" | "off";
/**
 * Which processes may use each GPU (`nvidia-smi -c`). NVIDIA only.
 */
export type ComputeMode = "default" | "exclusive_process" | "prohibited";
/**
 * The number of GPUs; it is an error if fewer are found. Default: as many as are found.
 */
export type Gpus = number;
/**
 * A machine.
 */
export type Node = {
  /**
   * How to connect: `ssh`, or `local` for the machine that muster runs on. Default: `ssh`.
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
   * Tags by which `--limit` and `needs.nodes` of a job can select it.
   */
  tags?: string[];
  /**
   * The PCI addresses that its GPUs must have, e.g. `0000:03:00.0`; the playbook `gpu` names the one that is missing. Default: any.
   */
  pci?: string[];
  /**
   * What its nodes come from, where it is no single machine: `slurm`, a Slurm cluster. muster submits allocations (pilots) to it while a run has work for them. `host` is its login node then, and the keys up to `overflow_after` say what an allocation is like. See [Slurm](slurm.md).
   */
  engine?: "slurm";
  /**
   * Of a Slurm cluster: the partition of the pilots. Default: the cluster's own default.
   */
  partition?: string;
  /**
   * Of a Slurm cluster: the account that pays for the pilots. Default: the user's own default.
   */
  account?: string;
  /**
   * Of a Slurm cluster: the GPUs of one pilot, as `sbatch --gres` has them, e.g. `gpu:1` or `gpu:a100:2`. Each of them is a slot. Default: none, the pilot computes on its CPUs.
   */
  gres?: string;
  /**
   * Of a Slurm cluster: the CPUs of one pilot. Without `gres`, each of them is a slot. Default: 1.
   */
  cpus?: number;
  /**
   * Of a Slurm cluster: the memory of one pilot, e.g. `16GiB`. Default: what the cluster gives.
   */
  memory?: string | number;
  /**
   * Of a Slurm cluster: how long a pilot may run, e.g. `4h`. No chunk is started that is not expected to end before. Default: `1h`.
   */
  time?: string | number;
  /**
   * Of a Slurm cluster: how many pilots there may be at a time. Fewer are submitted where there is less work. Default: 1.
   */
  pilots?: number;
  /**
   * Of a Slurm cluster: further words for `sbatch`, e.g. `[--qos=long, --constraint=a100]`. Words that muster sets itself, and those that make several jobs or tasks of a pilot (`--array`), are refused.
   */
  sbatch?: string[];
  /**
   * Of a Slurm cluster: lines of bash that run on the compute node before the agent starts; what they export is the environment of chunks, e.g. `[source ~/venv/bin/activate]`. A pilot on which one fails ends.
   */
  setup?: string[];
  /**
   * Of a Slurm cluster: `always`, or `overflow`: only while the other nodes would need longer than `overflow_after`. Default: `always`.
   */
  use?: "always" | "overflow";
  /**
   * Of a Slurm cluster with `use: overflow`: how much longer the other nodes must be expected to need. Default: `30m`.
   */
  overflow_after?: string | number;
  /**
   * The command that turns the machine off and on again, with its arguments: IPMI, a smart plug, wake on LAN. It runs on this machine, in the folder of the inventory, without a shell; a word that begins with `~/` is a path in your home folder, and `{node}` and `{host}` stand for this node's name and host. Secrets belong into files that it reads, or into `heal.env_file`.
   *
   * @minItems 1
   */
  power_cycle?: (string | number | bigint | boolean)[];
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
  cache?: Cache;
  gpu_check?: GpuCheck;
  gpu_samples?: GpuSamples;
  price?: Price;
  max_concurrent?: MaxConcurrent;
  /**
   * The number of GPUs, or a list of its kinds of GPU where it has several, also of two vendors. It is an error if fewer are found. Default: as many as are found.
   *
   * @minItems 1
   */
  gpus?: number | GpuGroup[];
  slots?: Slots;
  vendor?: Vendor;
  model?: Model;
  vram?: Vram;
  memory_fraction?: MemoryFraction;
  per_gpu?: PerGpu;
  rate?: Rate;
  env?: Env;
  kernel?: Kernel;
  limits?: Limits;
  power?: Power;
  clocks?: Clocks;
  fan?: Fan;
  perf?: Perf;
  persistence?: Persistence;
  compute_mode?: ComputeMode;
  package_sources?: PackageSources;
  packages?: Packages;
  services?: Services;
  groups?: Groups;
  /**
   * Kernel modules, as under `defaults`. Of a Slurm cluster: a list of the environment modules that are loaded before the agent starts, e.g. `[cuda/12.4]`.
   */
  modules?:
    | {
        [k: string]: ModuleState;
      }
    | string[];
  mounts?: Mounts;
  git?: Git;
  lines?: Lines;
  templates?: Templates;
  values?: Values;
  rocm?: Rocm;
  nvidia?: Nvidia;
} | null;

/**
 * The inventory (`inventory.yaml`): the nodes, their GPUs, and the state that they must be in.
 */
export interface InventoryFile {
  /**
   * Settings of every node, unless its profile or the node itself overrides them.
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
    cache?: Cache;
    gpu_check?: GpuCheck;
    gpu_samples?: GpuSamples;
    price?: Price;
    max_concurrent?: MaxConcurrent;
    memory_fraction?: MemoryFraction;
    per_gpu?: PerGpu;
    rate?: Rate;
    env?: Env;
    kernel?: Kernel;
    limits?: Limits;
    slots?: Slots;
    /**
     * The job type of jobs-file entries that name neither a script nor a type. Default: `analysis`.
     */
    route?: string;
    package_sources?: PackageSources;
    packages?: Packages;
    services?: Services;
    groups?: Groups;
    modules?: Modules;
    mounts?: Mounts;
    git?: Git;
    lines?: Lines;
    templates?: Templates;
    values?: Values;
    rocm?: Rocm;
    nvidia?: Nvidia;
  };
  /**
   * Kinds of GPU, by name.
   */
  profiles?: {
    /**
     * A kind of GPU: the settings that all nodes with such GPUs share.
     */
    [k: string]: {
      vendor?: Vendor;
      model?: Model;
      vram?: Vram;
      memory_fraction?: MemoryFraction;
      per_gpu?: PerGpu;
      rate?: Rate;
      env?: Env;
      kernel?: Kernel;
      limits?: Limits;
      power?: Power;
      clocks?: Clocks;
      fan?: Fan;
      perf?: Perf;
      persistence?: Persistence;
      compute_mode?: ComputeMode;
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
      cache?: Cache;
      gpu_check?: GpuCheck;
      gpu_samples?: GpuSamples;
      price?: Price;
      max_concurrent?: MaxConcurrent;
      gpus?: Gpus;
      slots?: Slots;
      package_sources?: PackageSources;
      packages?: Packages;
      services?: Services;
      groups?: Groups;
      modules?: Modules;
      mounts?: Mounts;
      git?: Git;
      lines?: Lines;
      templates?: Templates;
      values?: Values;
      rocm?: Rocm;
      nvidia?: Nvidia;
    };
  };
  /**
   * The machines, by name. The keys of a node override its profile and the defaults.
   */
  nodes: {
    [k: string]: Node;
  };
  /**
   * The playbooks that `muster provision` and `muster verify` use if none are named.
   */
  playbooks?: string[];
  /**
   * Opt in to healing: a node that stays away, or whose GPU stays sick, is drained, rebooted or power-cycled, waited for, provisioned, probed, and given work again, by a run and by `muster provision --heal`.
   */
  heal?: {
    /**
     * How long a node must be away, or its GPU sick, before it is healed. Default: `10m`.
     */
    after?: string | number;
    /**
     * Why a node that answers is healed (`sudo -n systemctl reboot`): `sick-gpu`, a GPU that its tools report as sick; `missing-gpu`, fewer GPUs than the inventory lists. A node that stays away is power-cycled whatever this says. Default: both.
     */
    reboot?: ("sick-gpu" | "missing-gpu")[];
    /**
     * How often a node may be healed within 24 hours: `2/day`. One that needs it once more is drained, with the reason. Default: `2/day`.
     */
    most?: string;
    /**
     * The shortest time between two healings of a node; it doubles with each healing within 24 hours. Default: `30m`.
     */
    pause?: string | number;
    /**
     * How long to wait for a node to answer after it was rebooted or power-cycled. Default: `10m`.
     */
    wait?: string | number;
    /**
     * How many nodes may be healed at once. Default: 1.
     */
    at_once?: number;
    /**
     * How long a `power_cycle` command may take; then it is killed, and the healing has failed. Default: `60s`.
     */
    timeout?: string | number;
    /**
     * A file of lines `KEY=VALUE`, relative to the inventory or under `~/`: variables that `power_cycle` commands get, such as passwords.
     */
    env_file?: string;
    /**
     * Who is notified when a healing begins and ends, and when a node is given up, with what happened as JSON.
     *
     * @minItems 1
     */
    on_heal?: HealNotice[];
  } | null;
  /**
   * Folders in the nodes' tmpfs and their content: absolute path on the node -> local files, relative to the inventory.
   */
  ramdisk?: {
    /**
     * @minItems 1
     */
    [k: string]: string[];
  };
  /**
   * Files and folders that are synced by content: path on the node (absolute or `~/...`) -> local path, relative to the inventory. Folders end in `/` on both sides.
   */
  files?: {
    [k: string]: string;
  };
  /**
   * Folders, written as in `files`, in which stale files (those that the source does not have) are deleted on the node. Elsewhere they are only reported.
   */
  delete_stale?: string[];
  /**
   * Python environments that the playbook `python-env` makes on the nodes, by name. A job runs in one with `python_env: NAME`.
   */
  python_envs?: {
    /**
     * What is installed, with which Python, and where.
     */
    [k: string]: {
      /**
       * The requirements file of pip, relative to the inventory.
       */
      requirements?: string;
      /**
       * The name or path of the Python on the node that the environment is made with. Default: the node's `python`.
       */
      python?: string;
      /**
       * Its path on the node: a symbolic link to the current environment, which lies beside it. Default: `~/.venvs/NAME`.
       */
      at?: string;
      /**
       * A folder of wheels, relative to the inventory. They are copied to the node, and pip installs from them only.
       */
      find_links?: string;
      /**
       * Also install the Python project in the folder of `requirements` (without it, of the inventory) from a copy on the node; a new environment for each content of it.
       */
      editable?: boolean;
      /**
       * An environment.yml, relative to the inventory, instead of `requirements`: micromamba, mamba or conda on the node makes the environment.
       */
      conda?: string;
    };
  };
  /**
   * Values that several files of a node must agree on, by name.
   */
  manifests?: {
    /**
     * A value, and the places in files where it must be set.
     */
    [k: string]: {
      /**
       * The value.
       */
      value: string | number | bigint | boolean;
      /**
       * Its places; the place that counts at run time comes last.
       *
       * @minItems 1
       */
      in: Spot[];
    };
  };
  /**
   * Job types of a jobs file: type -> the program to run.
   */
  routes?: {
    [k: string]: Route;
  };
}
/**
 * The environment of every chunk, set before its program starts. Merged key by key: defaults, profile, node.
 */
export interface Env {
  [k: string]: string | number | bigint | boolean;
}
/**
 * Kernel module parameters that the node must have, `module.parameter: value`, as shown under `/sys/module`.
 */
export interface Kernel {
  [k: string]: string | number | bigint | boolean;
}
/**
 * Limits of a job's values, by name: of its `params` or `matrix`, or after `--NAME` in its `args`.
 */
export interface Limits {
  /**
   * The limits of one parameter.
   */
  [k: string]: {
    /**
     * The value with the best measured performance: a larger one causes a note.
     */
    best?: number;
    /**
     * The largest safe value: a larger one is rejected before anything runs.
     */
    max?: number;
  };
}
/**
 * Package repositories beside those of the distribution, by name, for apt. Their signing keys are checked by fingerprint. Merged by name, as all keys of the state of a node are: defaults, profile, node.
 */
export interface PackageSources {
  /**
   * A package repository.
   */
  [k: string]: {
    /**
     * Where it is: `https://download.docker.com/linux/debian`.
     */
    uri: string;
    /**
     * Its suite, e.g. `jammy`; one that ends in `/` is an exact path and has no components.
     */
    suite: string;
    /**
     * Its components. Default: `[main]`.
     */
    components?: string[];
    /**
     * Its architectures. Default: the node's own.
     *
     * @minItems 1
     */
    architectures?: string[];
    /**
     * The file with its public signing key, relative to the inventory.
     */
    key: string;
    /**
     * The fingerprint that the key must have: 40 hexadecimal digits, blanks allowed.
     */
    fingerprint: string;
  };
}
/**
 * Packages of the distribution, by name: `present`, `absent`, or which version.
 */
export interface Packages {
  /**
   * `present`, `absent`, or a version.
   */
  [k: string]:
    | "present"
    | "absent"
    | {
        /**
         * The version, whole, as `apt-cache policy` prints it. In quotes where it looks like a number.
         */
        version?: string;
        /**
         * Whether `apt upgrade` must leave it alone. Default: as it is.
         */
        hold?: boolean;
      };
}
/**
 * Units of systemd, by name; without an ending a service is meant.
 */
export interface Services {
  /**
   * The state of a unit. What is left out stays as it is.
   */
  [k: string]: {
    /**
     * Whether it starts at boot.
     */
    enabled?: boolean;
    /**
     * Whether it runs now.
     */
    running?: boolean;
    /**
     * Whether it cannot be started at all.
     */
    masked?: boolean;
    /**
     * Its unit file, relative to the inventory: written to `/etc/systemd/system`.
     */
    unit?: string;
    /**
     * Files on the node, e.g. of `templates`: if one has changed since the unit started, it is restarted. Its unit file counts without being named.
     *
     * @minItems 1
     */
    restart_on?: string[];
  };
}
/**
 * Groups of the node and users who must be members: `render: [michael]`. Users and groups must exist; other members stay.
 */
export interface Groups {
  /**
   * @minItems 1
   */
  [k: string]: string[];
}
/**
 * Kernel modules: whether they are loaded, now and at boot, their options, and those that must never be loaded. Values that a running module must have are under `kernel`.
 */
export interface Modules {
  [k: string]: ModuleState;
}
/**
 * The state of a kernel module.
 */
export interface ModuleState {
  /**
   * Whether it is loaded, now and at boot. `false`: it is not now.
   */
  loaded?: boolean;
  /**
   * Whether the kernel must not load it by itself. `false` takes it back.
   */
  blacklist?: boolean;
  /**
   * Its options in `/etc/modprobe.d`, for the next time that it is loaded.
   */
  options?: {
    [k: string]: string | number | bigint | boolean;
  };
}
/**
 * Mounted file systems, by folder: an entry of `/etc/fstab`, and mounted now.
 */
export interface Mounts {
  /**
   * A file system.
   */
  [k: string]: {
    /**
     * `UUID=...`, `LABEL=...`, a device, `tmpfs`, or `host:/export`.
     */
    device: string;
    /**
     * Its type: `ext4`, `xfs`, `nfs`, `tmpfs`.
     */
    type: string;
    /**
     * Its mount options. Default: `[defaults]`. `nofail` lets the node boot without it.
     *
     * @minItems 1
     */
    options?: string[];
    /**
     * The order of its check at boot, the last field of its entry. Default: 0, none.
     */
    check?: number;
  };
}
/**
 * Checkouts, by folder: a repository at a commit or tag.
 */
export interface Git {
  /**
   * A checkout.
   */
  [k: string]: {
    /**
     * Its address, as the node can reach it.
     */
    repo: string;
    /**
     * A commit (whole, 40 digits) or a tag. Branches move, so they are no state.
     */
    at: string;
    /**
     * Whether local changes are thrown away. Default: false, they are drift that `provision` refuses to overwrite.
     */
    force?: boolean;
  };
}
/**
 * Lines and blocks in files of the node, by file. The rest of the file stays as it is, byte for byte. Files outside of `~/` are edited as root.
 */
export interface Lines {
  /**
   * What a file must hold.
   *
   * @minItems 1
   *
   * Items: A line, or a block of lines between two marks.
   */
  [k: string]: {
    /**
     * A line that must be there.
     */
    line?: string;
    /**
     * A regular expression: the last line that matches is replaced by `line`. Default: an equal line must be there.
     */
    match?: string;
    /**
     * A regular expression: no line may match it.
     */
    absent?: string;
    /**
     * Lines that are kept between two marks, `# BEGIN NAME` and `# END NAME`.
     */
    block?: string;
    /**
     * The name in the marks of a block. Default: `muster`.
     */
    name?: string;
    /**
     * How a comment begins in this file. Default: `#`.
     */
    comment?: string;
  }[];
}
/**
 * Files of the node, by path, made from local files in which `{name}` is a value of `values`; `{{name}}` becomes `{name}`, and other braces stay. Files outside of `~/` are written as root.
 */
export interface Templates {
  /**
   * A file made from a template.
   */
  [k: string]: {
    /**
     * The local file, relative to the inventory.
     */
    source: string;
    /**
     * Its mode, in quotes: `"0640"`. Default: 0600 with a secret in it, else as it is, 0644 for a new file.
     */
    mode?: string;
    /**
     * Its owner: `user` or `user:group`.
     */
    owner?: string;
  };
}
/**
 * Values for `templates`, by name. A secret comes from the environment, a file or a command here, and is never shown. `node`, `host` and `user` are there without being named.
 */
export interface Values {
  /**
   * A text, or where a secret comes from.
   */
  [k: string]:
    | (string | number | bigint | boolean)
    | {
        /**
         * The environment variable that holds it.
         */
        env?: string;
        /**
         * The local file that holds it, relative to the inventory or under `~/`; the last line break is dropped.
         */
        file?: string;
        /**
         * The command that prints it, here: `[pass, show, rigs/token]`.
         *
         * @minItems 1
         */
        command?: string[];
      };
}
/**
 * The ROCm that the playbook `rocm` keeps on nodes with AMD GPUs: a release of AMD's repository, or what is installed there.
 */
export interface Rocm {
  /**
   * A release, `6.4.3`: its packages are installed from AMD's repository. Default: what is installed stays, and must work.
   */
  release?: string | number;
  /**
   * Packages of the release. Default: `[rocm]`.
   *
   * @minItems 1
   */
  packages?: string[];
  /**
   * A release of the kernel driver amdgpu-dkms, `6.4.3` or `30.10`. Default: the driver of the kernel.
   */
  driver?: string | number;
  /**
   * The suite of AMD's repository: `jammy` or `noble`, also on Debian.
   */
  suite?: string;
  /**
   * The file with AMD's public signing key (https://repo.radeon.com/rocm/rocm.gpg.key), relative to the inventory.
   */
  key?: string;
  /**
   * The fingerprint that the key must have. Default: AMD's.
   */
  fingerprint?: string;
  /**
   * Where the repositories are, e.g. a mirror. Default: `https://repo.radeon.com`.
   */
  repository?: string;
  /**
   * Whether `apt upgrade` must leave the packages alone. Default: true.
   */
  hold?: boolean;
}
/**
 * The driver that the playbook `nvidia` keeps on nodes with NVIDIA GPUs.
 */
export interface Nvidia {
  /**
   * A branch of the driver, `550`. Default: what is installed stays, and must work.
   */
  driver?: number | string;
  /**
   * The packages that bring it. Default: `nvidia-driver-BRANCH`, as Ubuntu calls it; none without `driver`.
   *
   * @minItems 1
   */
  packages?: string[];
  /**
   * Whether `apt upgrade` must leave the packages alone: a library that is newer than the loaded driver refuses to work. Default: true.
   */
  hold?: boolean;
}
/**
 * The clocks of each GPU. Merged key by key: profile, node.
 */
export interface Clocks {
  /**
   * The core clock: `[MIN, MAX]` in MHz, or `max`, its highest level. With AMD `[MIN, MAX]` needs the overdrive bit (0x4000) in `amdgpu.ppfeaturemask`, and clocks imply `perf: manual`; with NVIDIA they need `persistence: on`.
   */
  sclk?: string | number[];
  /**
   * The memory clock, as `sclk`.
   */
  mclk?: string | number[];
}
/**
 * GPUs of one kind in a node. Their slots have the environment, limits, rate and vendor of the profile. It needs `count` or `pci`; where the node has several kinds of one vendor, each needs `pci`.
 */
export interface GpuGroup {
  /**
   * The name of their profile.
   */
  profile: string;
  /**
   * How many of them the node has. Default: as many as `pci` lists.
   */
  count?: number;
  /**
   * Their PCI addresses, e.g. `0000:03:00.0`, as `muster nodes` prints them. Default: any of the vendor's.
   *
   * @minItems 1
   */
  pci?: string[];
}
/**
 * A command or a webhook.
 */
export interface HealNotice {
  /**
   * A program and its arguments, which gets the document on stdin; it runs in the folder of the inventory.
   *
   * @minItems 1
   */
  command?: (string | number | bigint | boolean)[];
  /**
   * An http or https URL to which the document is sent by POST, with up to three attempts. If the URL contains a secret, use `webhook_env` or `webhook_file`.
   */
  webhook?: string;
  /**
   * The environment variable that holds the URL.
   */
  webhook_env?: string;
  /**
   * The file that holds the URL, relative to the inventory, or under `~/`.
   */
  webhook_file?: string;
  /**
   * Of a webhook: the environment variable with the token, sent as `Authorization: Bearer`.
   */
  token_env?: string;
  /**
   * Of a webhook: the file that holds the token, relative to the inventory, or under `~/`.
   */
  token_file?: string;
  /**
   * How long one attempt may take. Default: `10s`.
   */
  timeout?: string | number;
}
/**
 * A file of the node, and how to find the value in it: one of `assignment`, `pointer`, `yaml` and `regex`.
 */
export interface Spot {
  /**
   * The file on the node, absolute or `~/...`.
   */
  file: string;
  /**
   * The NAME of an assignment `NAME=value` in a shell script.
   */
  assignment?: string;
  /**
   * A JSON pointer to the value in a JSON file, e.g. `/default_params/chunk_size`.
   */
  pointer?: string;
  /**
   * A path to the value in a YAML file, written as a JSON pointer, e.g. `/training/chunk_size`.
   */
  yaml?: string;
  /**
   * A JavaScript regular expression whose only group captures the value (`^` and `$` match at lines), e.g. `^chunk = (\d+)`.
   */
  regex?: string;
}
/**
 * The program of a job type.
 */
export interface Route {
  /**
   * The script, relative to the inventory; it is staged.
   */
  script: string;
  /**
   * Its arguments. `{key}` stands for a key of the job; `{chunk}` `{out}` `{gpu}` `{cores}` are as in a job file. The job's own `args` follow.
   */
  args?: (string | number | bigint | boolean)[];
  /**
   * Further files or folders to stage, relative to the inventory.
   */
  inputs?: string[];
  /**
   * Files that it writes under `{out}`; may use `{key}`. Default: the argument after `--output`.
   */
  outputs?: string[];
}

/**
 * A job: what to compute, over a range of integers, a list of tasks, every combination of a matrix, the shards of a program that splits its work itself, or a queue of tasks that arrive while it runs.
 */
export interface JobFile {
  /**
   * The name of the job and of its run directory. Default: the file's name without its extension.
   */
  name?: string;
  /**
   * How the work is given: `range`, `tasks`, `matrix`, `shards`, or `queue`: tasks that `muster add` adds before and while the job runs.
   */
  kind: "range" | "tasks" | "matrix" | "shards" | "queue";
  /**
   * Of a queue: it closes by itself when it has had no work for so long, e.g. `10m`. Without it, `muster add RUN --close` closes it.
   */
  idle?: string | number;
  /**
   * Of a range: `[start, end]`, half-open; integers of any size are exact.
   *
   * @minItems 2
   * @maxItems 2
   */
  range?: [number | bigint, number | bigint];
  /**
   * Of a range: the units of a chunk. A number fixes the size. With `base` and without `target`, the size is proportional to a slot's rate: the slowest slot gets `base` units, a slot six times as fast gets six times as many. Otherwise chunks are sized to take `target`. Near the end chunks shrink, so that all slots finish together.
   */
  chunk?: number | {base?: number; target?: string | number; min?: number; max?: number};
  /**
   * Of tasks: the tasks, one chunk each. In a file named `*.ndjson` or `*.jsonl`, each line is a task, and the first line may be the job itself, without `tasks`.
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
   * Of shards: into how many parts a program splits its work itself; each is a chunk. `{index}` counts from 0, `{number}` from 1, and `{shards}` is how many there are.
   */
  shards?: number | bigint;
  /**
   * The program, relative to the job file. An executable file runs by its `#!` line, another `*.py` with the node's Python.
   */
  script?: string;
  /**
   * A Python module that runs as `python -m`, e.g. `pkg.worker`; instead of `script`.
   */
  module?: string;
  /**
   * A program and its first arguments; instead of `script`. It is found on the node's PATH, or, as `./tool`, in the working directory. `args` follow them.
   *
   * @minItems 1
   */
  command?: (string | number | bigint | boolean)[];
  /**
   * The root of the project, relative to the job file. Its files are copied to the nodes, and each attempt starts in a writable copy of them. Default: the nearest folder at or above the job file with `.git`, `pyproject.toml`, `setup.py`, `.project-root` or `requirements.txt`, else the job file's own folder. `none`: only the script and `inputs` are copied. Ignored files, `.env` files, files over 4 MB, and results are not copied; list those that a program needs in `inputs`.
   */
  project?: string;
  /**
   * Selects the files of the project that are copied to the nodes: files, folders or globs, relative to the project's root, e.g. `[src/, conf/*.yaml]`. Or `imports`: the script, and the modules of the project that it imports, as far as they can be found without running it.
   *
   * @minItems 1
   */
  code?: "imports" | string[];
  /**
   * The folder in which programs start, relative to the project's root. Default: the job file's folder.
   */
  cwd?: string;
  /**
   * A folder that is on the nodes already, in which programs run: absolute, or `~/...` in the home folder. muster copies no code, and `script`, `module`, `command` and relative paths are that folder's. `{out}` is a folder of the attempt's own, which also has `inputs`. Excludes `project`, `code`, `cwd`, `pythonpath` and `build`.
   */
  directory?: string;
  /**
   * Folders that Python finds modules in, relative to the project's root: PYTHONPATH begins with them. Default: the folders in which the imports of the project's modules resolve.
   */
  pythonpath?: string[];
  /**
   * A command that compiles the project, or fetches what it needs. It runs once on each node, in a copy of the project, before the first chunk there; later runs use its result again until the project, the command, its environment or the node's compilers change. A failed build excludes its node.
   */
  build?: {
    /**
     * The program and its arguments, e.g. `[make, -j4]`. It starts where the job's programs do; placeholders are not replaced.
     *
     * @minItems 1
     */
    command: (string | number | bigint | boolean)[];
    /**
     * What it makes: files, folders or globs, relative to its working directory. Every attempt finds them in its copy of the project. Without outputs, it only has to succeed once, e.g. to fill a download cache.
     */
    outputs?: string[];
    /**
     * Environment variables of the build, beside those of the node and the job.
     */
    env?: {
      [k: string]: string | number | bigint | boolean;
    };
    /**
     * How long it may run, e.g. `10m`. Default: `30m`.
     */
    timeout?: string | number;
    /**
     * `gpu`: the result depends on the model of the node's GPUs, so nodes with other GPUs that share a work directory do not share it.
     */
    per?: "gpu";
  };
  /**
   * Arguments, passed byte for byte. Placeholders: `{chunk}` `{out}` `{gpu}`, `{gpus}`; `{cores}`: the threads of a chunk; of a range `{start}` `{end}`, `{last}` (`end` - 1) and `{count}` (`end` - `start`); of shards `{index}` `{number}` `{shards}`; of a matrix its keys; and `params`. `{{` and `}}` are literal braces. Of tasks: for every task that has neither `args` nor a program of its own.
   */
  args?: (string | number | bigint | boolean)[];
  /**
   * Files or folders, relative to the job file, that are staged in addition to the project. They lie at the same relative path. Of tasks: for every task.
   */
  inputs?: string[];
  /**
   * What the program leaves behind, relative to its working directory, which is `{out}`: files, `stdout` for what it prints, folders (`out/`), and globs (`*.srt`; `*`, `?`, `[...]` and `**`). A path may lead above the working directory (`../output/x.png`), but not out of the project. A chunk is done when it exits 0 and all of them exist. An input that is an output too is edited in the attempt's own copy. A file that is called stdout is written `./stdout`. Of tasks: for every task that has no `outputs` of its own.
   */
  outputs?: (string | {folder?: string; glob?: string; at_least?: number; at_most?: number})[];
  /**
   * Files that the program appends to. Each attempt starts with an empty one, and they are joined in chunk order, one after another, into `results/FILE` when the run ends.
   */
  append?: string[];
  /**
   * The folder that results are published in, relative to the job file; default: `results` in the run directory. A file there that this run did not publish is never replaced, unless `--overwrite` is given or the mapping `{folder: DIR, overwrite: true}` says so; an input that is an output too is published beside its source, as FILE.new.
   */
  results?: string | {folder: string; overwrite?: boolean};
  /**
   * What a slot must have to run a chunk.
   */
  needs?: {
    /**
     * The vendor of the GPU; `none` selects CPU slots.
     */
    vendor?: "amd" | "nvidia" | "none";
    /**
     * The model of the GPU, as in the profile.
     */
    model?: string;
    /**
     * The least memory of the GPU, e.g. `8GiB`; where chunks share GPUs, of each chunk.
     */
    vram?: string | number;
    /**
     * 1: a GPU for each chunk. 2 or more: that many GPUs of one node for each chunk, bound together; `{gpus}` is their indices, such as `0,1`. 0: no GPU; chunks run on CPU slots, also of nodes with GPUs, and see none of these. Such a node has as many CPU slots as its `slots`, or as it has cores without one for each GPU. Default: chunks run on slots of both kinds, unless `vendor` says more.
     */
    gpus?: number;
    /**
     * The share of a GPU that a chunk takes: 1, or a half, a third and so on to a sixteenth, e.g. `0.5`: so many chunks of the run share a GPU. Where `vram` is given, only as many as its memory holds. Default: the inventory's `per_gpu`.
     */
    gpu_share?: string | number;
    /**
     * The host memory of one chunk, e.g. `1GiB`: it limits how many run on a node at once.
     */
    memory?: string | number;
    /**
     * The threads of one chunk, e.g. 4: a node runs at most its cores divided by this many chunks at once. Default: the node's cores divided by the chunks that it runs at once. `{cores}` is that number; OMP_NUM_THREADS and its like are set to it, unless `env`, the profile or the node sets OMP_NUM_THREADS.
     */
    cores?: number;
    /**
     * The nodes to use: names, tags or globs of the inventory.
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
   * Values that `args` can use by name. `--set` overrides them. The profile's `limits` apply: a value above `max` of any node that may run the job is rejected, one above `best` causes a note.
   */
  params?: {
    [k: string]: string | number | bigint | boolean;
  };
  /**
   * The environment of `python_envs` in the inventory that the programs run in. A node gets work only while its environment is as the inventory describes it.
   */
  python_env?: string;
  /**
   * The environment of every chunk; overrides that of the node.
   */
  env?: {
    [k: string]: string | number | bigint | boolean;
  };
  /**
   * A file with further environment variables, relative to the job file; `~` is the home folder. Each line is `KEY=VALUE`, comments begin with `#`, quotes around a whole value are removed. `env` overrides it. Its values are passed to the chunks only, and appear in no log, journal or command line.
   */
  env_file?: string;
  /**
   * `warm`: one process of each slot takes chunk after chunk, so that it loads its libraries once; a Python script loops over `muster.chunks()` (docs/worker-protocol.md). `{out}` is then `.`. Default: `process`, one for each chunk.
   */
  worker?: "process" | "warm";
  /**
   * When a warm worker is replaced by a new one. Default: when a chunk has failed in it, when it leaves something behind, and when another run gets its card.
   */
  recycle?: {
    /**
     * After so many chunks.
     */
    chunks?: number;
    /**
     * When it is so old, e.g. `1h`.
     */
    after?: string | number;
    /**
     * When it uses more host memory, e.g. `4GiB`.
     */
    memory?: string | number;
  };
  /**
   * The key of a matrix whose values must not share a warm worker, e.g. `model`: each gets processes of its own.
   */
  isolate_by?: string;
  /**
   * Gives programs that insist on one a terminal of 80 columns and 24 rows: it is their stdin, stdout and stderr, and what they print goes to `logs/CHUNK.out`. There is never any input: the first 16 reads return the end of file. TERM is `xterm` where the environment has none. Default: `false`; stdin is /dev/null.
   */
  tty?: boolean;
  /**
   * How long a chunk may run, e.g. `10m`; then its process group is ended as `grace` says. Default: no limit.
   */
  timeout?: string | number;
  /**
   * Whether the next attempt of a chunk continues where the last one was. `{state}` (and `$MUSTER_STATE`) is a folder in which the program writes a new folder, and then renames a file `current` to that place that holds the folder's name. The next attempt finds both, on any node. Chunks of a range must have a fixed size then, and no chunk is split or computed twice. Default: `false`.
   */
  state?: boolean;
  /**
   * How often the state of a running chunk is copied to this machine, e.g. `10m`; it is also copied when an attempt ends without a result. Default: `10m`.
   */
  state_every?: string | number;
  /**
   * How long a program that reports its progress may make none, e.g. `5m`; then it is ended as at its timeout, also where it has reported nothing yet. Default: it is only said, after 5 minutes.
   */
  stall?: string | number;
  /**
   * How long a program may take to end after SIGTERM, e.g. `60s`, wherever muster ends it: at its timeout, on a sick GPU, when memory runs out, when its result is not needed any more, or when the run is cancelled. Then it gets SIGKILL. Default: `5s`.
   */
  grace?: string | number;
  /**
   * The limits of a chunk's outputs and state.
   */
  limits?: {
    /**
     * The largest size of one output, e.g. `500MiB`; of a folder or a glob: of all its files. A larger one fails the attempt and is never fetched. Default: `4GiB`, and `64MiB` for stdout.
     */
    output?: string | number;
    /**
     * The most files of a chunk in folders and globs; more of them fail the attempt. Default: 1000.
     */
    files?: number;
    /**
     * The largest size of a chunk's state. A larger one is not kept, which is reported. Default: `1GiB`.
     */
    state?: string | number;
  };
  /**
   * A program on this machine that decides while the job runs, e.g. `[python3, optimiser.py]`. It starts in the folder of the job file, reads results and intermediate values as JSON lines from stdin, and prints JSON lines: tasks for a queue, chunks to stop, or that it is done. See docs/ask-tell.md.
   *
   * @minItems 1
   */
  ask?: string[];
  /**
   * Computes this share of the chunks, e.g. `1%`, a second time on a slot of another node (on another slot, if there is one node) and compares the outputs, which must be equal byte for byte. Results that differ fail the run (exit 3) and are reported with both slots; the first result stays. Every run of a job selects the same chunks. As a mapping: `{share: 1%, tolerance: 1e-6}`.
   */
  recheck?: string | number | {share: string | number; tolerance?: number};
  /**
   * The old name of `recheck`; it stays valid.
   */
  canary?: string | number | {share: string | number; tolerance?: number};
  /**
   * How much must be done for the job to count as done although chunks failed: a share of its units, e.g. `95%`, or a number of units. Judged at the end. What failed is reported as ever, and the exit status stays 3, but the summary says that it was enough, and the steps of a pipeline that need the job run. Results that a recheck finds to differ are never enough. Default: all.
   */
  enough?: string | number | bigint;
  /**
   * How to retry a chunk that fails.
   */
  retry?: {
    /**
     * The total number of attempts. An attempt also counts if the node's agent died during it and the node did not reboot; after two such attempts the chunk runs alone on a node. Default: 3.
     */
    attempts?: number;
    /**
     * The delay before the second attempt; it doubles with each further one. Default: `1s`.
     */
    backoff?: string | number;
  };
  /**
   * When to stop a run whose chunks fail. Until one chunk has succeeded, a slot whose chunk failed gets no other one before all slots have ended theirs.
   */
  halt?: {
    /**
     * How many different chunks must fail alike, before one has succeeded, to halt the run. Those that run on any node are waited for, and one of the failed chunks is tried again, before it halts. 0: the run continues, and no slot waits. Default: 3.
     */
    alike?: number;
    /**
     * How many chunks must have used up their tries to halt the run: a share of the chunks that have ended, e.g. `10%`, judged once there are 20, or a number of chunks. Chunks that earlier sessions completed count; those that failed in them are tried again. Default: never.
     */
    failures?: string | number | bigint;
  };
  /**
   * The approximate duration of a task, combination or shard on the slowest kind of slot, e.g. `90s`. Longer tasks start first, and on faster slots; only the ratios of the durations matter. Default: as measured in earlier runs of the script.
   */
  expect?: string | number;
  /**
   * If several runs share a GPU or CPU slot, the one with the highest priority gets it next, after each chunk, or at once where the chunk there has a state; runs of equal priority take turns. Default: 0.
   */
  priority?: number;
  /**
   * Combines one output of every chunk into one file, in chunk order.
   */
  aggregate?: {
    /**
     * The output to combine: one of `outputs`.
     */
    from: string;
    /**
     * `array`: a JSON array of the JSON values. `lines`: one JSON value per line. `concat`: the concatenated bytes.
     */
    as: "array" | "lines" | "concat";
    /**
     * The file in the run directory.
     */
    to: string;
  };
  /**
   * Reads NaN, Infinity and -Infinity in JSON outputs, which JSON does not have but Python writes, as null in results.ndjson and in the aggregate. Output files stay as they are. Default: false: the aggregate is refused, with their position.
   */
  nan_as_null?: boolean;
  /**
   * `files` keeps outputs as files; `lines` makes a chunk's JSON output its line of results.ndjson and keeps no file. Default: `files`.
   */
  collect?: "files" | "lines";
}
/**
 * One task. Keys that are missing are taken from the job (`args` only together with the job's program). `inputs` and `env` are added to those of the job.
 */
export interface Task {
  /**
   * Its name: unique in the job, and valid as a file name.
   */
  id: string | number | bigint | boolean;
  /**
   * Replaces the job's program and its `args`. A file relative to the job file. An executable file runs by its `#!` line, another `*.py` with the node's Python.
   */
  script?: string;
  /**
   * Replaces the job's program and its `args`. A Python module that runs as `python -m`.
   */
  module?: string;
  /**
   * Replaces the job's program and its `args`. A program and its first arguments; `args` follow them.
   *
   * @minItems 1
   */
  command?: (string | number | bigint | boolean)[];
  /**
   * Replaces the job's `args`, but not the words of its `command`. Passed byte for byte. Placeholders: `{chunk}` `{out}` `{gpu}` `{cores}` and `params`; `{{` and `}}` are literal braces.
   */
  args?: (string | number | bigint | boolean)[];
  /**
   * Added to the job's `inputs`. Files or folders, relative to the job file. They are staged, and have the same path relative to the working directory.
   */
  inputs?: string[];
  /**
   * Replaces the job's `outputs`.
   */
  outputs?: (string | {folder?: string; glob?: string; at_least?: number; at_most?: number})[];
  /**
   * Replaces the job's `append`.
   */
  append?: string[];
  /**
   * Its own values for `params` of the job, which names them all.
   */
  params?: {
    [k: string]: string | number | bigint | boolean;
  };
  /**
   * Replaces the job's `expect`.
   */
  expect?: string | number;
  /**
   * Replaces the job's `priority`: tasks with a higher one start first, whatever their duration.
   */
  priority?: number;
  /**
   * What its slot must have, beside what the job's `needs` says.
   */
  needs?: {
    /**
     * Replaces the job's `needs.gpus`: how many GPUs of one node it needs.
     */
    gpus?: number;
  };
  /**
   * The index of the GPU that it must run on.
   */
  gpu?: number;
  /**
   * Added to the job's `env`; overrides it.
   */
  env?: {
    [k: string]: string | number | bigint | boolean;
  };
  /**
   * Replaces the job's `timeout`.
   */
  timeout?: string | number;
  /**
   * Replaces the job's `state`.
   */
  state?: boolean;
  /**
   * Replaces the job's `grace`.
   */
  grace?: string | number;
}

/**
 * A jobs file of the Python coordinators: `{"jobs": [...]}`. Runs as it is; nothing in it is a placeholder. Inputs are the args that name existing files, outputs what follows `--output`. Keys that are not listed here are free, for `routes`. In a file that ends in `.ndjson` or `.jsonl` each line is one of `jobs`.
 */
export interface JobsFile {
  /**
   * The jobs to run.
   *
   * @minItems 1
   */
  jobs: Entry[];
  /**
   * The name of the job and of its run directory. Default: the file's name without its extension.
   */
  name?: string;
  /**
   * The root of the project, relative to the job file. Its files are copied to the nodes, and each attempt starts in a writable copy of them. Default: the nearest folder at or above the job file with `.git`, `pyproject.toml`, `setup.py`, `.project-root` or `requirements.txt`, else the job file's own folder. `none`: only the script and `inputs` are copied. Ignored files, `.env` files, files over 4 MB, and results are not copied; list those that a program needs in `inputs`.
   */
  project?: string;
  /**
   * Selects the files of the project that are copied to the nodes: files, folders or globs, relative to the project's root, e.g. `[src/, conf/*.yaml]`. Or `imports`: the script, and the modules of the project that it imports, as far as they can be found without running it.
   *
   * @minItems 1
   */
  code?: "imports" | string[];
  /**
   * The folder in which programs start, relative to the project's root. Default: the job file's folder.
   */
  cwd?: string;
  /**
   * A folder that is on the nodes already, in which programs run: absolute, or `~/...` in the home folder. muster copies no code, and `script`, `module`, `command` and relative paths are that folder's. `{out}` is a folder of the attempt's own, which also has `inputs`. Excludes `project`, `code`, `cwd`, `pythonpath` and `build`.
   */
  directory?: string;
  /**
   * Folders that Python finds modules in, relative to the project's root: PYTHONPATH begins with them. Default: the folders in which the imports of the project's modules resolve.
   */
  pythonpath?: string[];
  /**
   * A command that compiles the project, or fetches what it needs. It runs once on each node, in a copy of the project, before the first chunk there; later runs use its result again until the project, the command, its environment or the node's compilers change. A failed build excludes its node.
   */
  build?: {
    /**
     * The program and its arguments, e.g. `[make, -j4]`. It starts where the job's programs do; placeholders are not replaced.
     *
     * @minItems 1
     */
    command: (string | number | bigint | boolean)[];
    /**
     * What it makes: files, folders or globs, relative to its working directory. Every attempt finds them in its copy of the project. Without outputs, it only has to succeed once, e.g. to fill a download cache.
     */
    outputs?: string[];
    /**
     * Environment variables of the build, beside those of the node and the job.
     */
    env?: {
      [k: string]: string | number | bigint | boolean;
    };
    /**
     * How long it may run, e.g. `10m`. Default: `30m`.
     */
    timeout?: string | number;
    /**
     * `gpu`: the result depends on the model of the node's GPUs, so nodes with other GPUs that share a work directory do not share it.
     */
    per?: "gpu";
  };
  /**
   * Files or folders, relative to the jobs file, that are staged for every entry, in addition to the project and to the files that its args name. They lie at the same relative path.
   */
  inputs?: string[];
  /**
   * The folder that results are published in, relative to the job file; default: `results` in the run directory. A file there that this run did not publish is never replaced, unless `--overwrite` is given or the mapping `{folder: DIR, overwrite: true}` says so; an input that is an output too is published beside its source, as FILE.new.
   */
  results?: string | {folder: string; overwrite?: boolean};
  /**
   * The limits of a chunk's outputs and state.
   */
  limits?: {
    /**
     * The largest size of one output, e.g. `500MiB`; of a folder or a glob: of all its files. A larger one fails the attempt and is never fetched. Default: `4GiB`, and `64MiB` for stdout.
     */
    output?: string | number;
    /**
     * The most files of a chunk in folders and globs; more of them fail the attempt. Default: 1000.
     */
    files?: number;
    /**
     * The largest size of a chunk's state. A larger one is not kept, which is reported. Default: `1GiB`.
     */
    state?: string | number;
  };
  /**
   * What a slot must have to run a chunk.
   */
  needs?: {
    /**
     * The vendor of the GPU; `none` selects CPU slots.
     */
    vendor?: "amd" | "nvidia" | "none";
    /**
     * The model of the GPU, as in the profile.
     */
    model?: string;
    /**
     * The least memory of the GPU, e.g. `8GiB`.
     */
    vram?: string | number;
    /**
     * 1: a GPU for each chunk. 2 or more: that many GPUs of one node for each chunk, bound together; `{gpus}` is their indices, such as `0,1`. 0: no GPU; chunks run on CPU slots, also of nodes with GPUs, and see none of these. Such a node has as many CPU slots as its `slots`, or as it has cores without one for each GPU. Default: chunks run on slots of both kinds, unless `vendor` says more.
     */
    gpus?: number;
    /**
     * The host memory of one chunk, e.g. `1GiB`: it limits how many run on a node at once.
     */
    memory?: string | number;
    /**
     * The threads of one chunk, e.g. 4: a node runs at most its cores divided by this many chunks at once. Default: the node's cores divided by the chunks that it runs at once. OMP_NUM_THREADS and its like are set to that number, unless `env`, the profile or the node sets OMP_NUM_THREADS.
     */
    cores?: number;
    /**
     * The nodes to use: names, tags or globs of the inventory.
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
   * The environment of `python_envs` in the inventory that the programs run in. A node gets work only while its environment is as the inventory describes it.
   */
  python_env?: string;
  /**
   * The environment of every chunk; overrides that of the node.
   */
  env?: {
    [k: string]: string | number | bigint | boolean;
  };
  /**
   * A file with further environment variables, relative to the job file; `~` is the home folder. Each line is `KEY=VALUE`, comments begin with `#`, quotes around a whole value are removed. `env` overrides it. Its values are passed to the chunks only, and appear in no log, journal or command line.
   */
  env_file?: string;
  /**
   * `warm`: one process of each slot takes chunk after chunk, so that it loads its libraries once; a Python script loops over `muster.chunks()` (docs/worker-protocol.md). `{out}` is then `.`. Default: `process`, one for each chunk.
   */
  worker?: "process" | "warm";
  /**
   * When a warm worker is replaced by a new one. Default: when a chunk has failed in it, when it leaves something behind, and when another run gets its card.
   */
  recycle?: {
    /**
     * After so many chunks.
     */
    chunks?: number;
    /**
     * When it is so old, e.g. `1h`.
     */
    after?: string | number;
    /**
     * When it uses more host memory, e.g. `4GiB`.
     */
    memory?: string | number;
  };
  /**
   * Gives programs that insist on one a terminal of 80 columns and 24 rows: it is their stdin, stdout and stderr, and what they print goes to `logs/CHUNK.out`. There is never any input: the first 16 reads return the end of file. TERM is `xterm` where the environment has none. Default: `false`; stdin is /dev/null.
   */
  tty?: boolean;
  /**
   * How long a chunk may run, e.g. `10m`; then its process group is ended as `grace` says. Default: no limit.
   */
  timeout?: string | number;
  /**
   * Whether the next attempt of a chunk continues where the last one was. `{state}` (and `$MUSTER_STATE`) is a folder in which the program writes a new folder, and then renames a file `current` to that place that holds the folder's name. The next attempt finds both, on any node. Chunks of a range must have a fixed size then, and no chunk is split or computed twice. Default: `false`.
   */
  state?: boolean;
  /**
   * How often the state of a running chunk is copied to this machine, e.g. `10m`; it is also copied when an attempt ends without a result. Default: `10m`.
   */
  state_every?: string | number;
  /**
   * How long a program that reports its progress may make none, e.g. `5m`; then it is ended as at its timeout, also where it has reported nothing yet. Default: it is only said, after 5 minutes.
   */
  stall?: string | number;
  /**
   * How long a program may take to end after SIGTERM, e.g. `60s`, wherever muster ends it: at its timeout, on a sick GPU, when memory runs out, when its result is not needed any more, or when the run is cancelled. Then it gets SIGKILL. Default: `5s`.
   */
  grace?: string | number;
  /**
   * Computes this share of the chunks, e.g. `1%`, a second time on a slot of another node (on another slot, if there is one node) and compares the outputs, which must be equal byte for byte. Results that differ fail the run (exit 3) and are reported with both slots; the first result stays. Every run of a job selects the same chunks. As a mapping: `{share: 1%, tolerance: 1e-6}`.
   */
  recheck?: string | number | {share: string | number; tolerance?: number};
  /**
   * The old name of `recheck`; it stays valid.
   */
  canary?: string | number | {share: string | number; tolerance?: number};
  /**
   * How much must be done for the job to count as done although chunks failed: a share of its units, e.g. `95%`, or a number of units. Judged at the end. What failed is reported as ever, and the exit status stays 3, but the summary says that it was enough, and the steps of a pipeline that need the job run. Results that a recheck finds to differ are never enough. Default: all.
   */
  enough?: string | number | bigint;
  /**
   * When to stop a run whose chunks fail. Until one chunk has succeeded, a slot whose chunk failed gets no other one before all slots have ended theirs.
   */
  halt?: {
    /**
     * How many different chunks must fail alike, before one has succeeded, to halt the run. Those that run on any node are waited for, and one of the failed chunks is tried again, before it halts. 0: the run continues, and no slot waits. Default: 3.
     */
    alike?: number;
    /**
     * How many chunks must have used up their tries to halt the run: a share of the chunks that have ended, e.g. `10%`, judged once there are 20, or a number of chunks. Chunks that earlier sessions completed count; those that failed in them are tried again. Default: never.
     */
    failures?: string | number | bigint;
  };
  /**
   * How to retry a chunk that fails.
   */
  retry?: {
    /**
     * The total number of attempts. An attempt also counts if the node's agent died during it and the node did not reboot; after two such attempts the chunk runs alone on a node. Default: 3.
     */
    attempts?: number;
    /**
     * The delay before the second attempt; it doubles with each further one. Default: `1s`.
     */
    backoff?: string | number;
  };
  /**
   * The approximate duration of a job on the slowest kind of slot, e.g. `90s`. Longer jobs start first, and on faster slots. Default: as measured in earlier runs of the script.
   */
  expect?: string | number;
  /**
   * Jobs with a higher priority start first. Default: 0.
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
   * Arguments, passed byte for byte.
   */
  args?: (string | number | bigint | boolean)[];
  /**
   * What its slot must have, beside what the job's `needs` says.
   */
  needs?: {
    /**
     * Replaces the job's `needs.gpus`: how many GPUs of one node it needs.
     */
    gpus?: number;
  };
  /**
   * The index of the GPU that it must run on.
   */
  gpu_id?: number | null;
  /**
   * Replaces the file's `expect` if it is a duration.
   */
  expect?: unknown;
  /**
   * Replaces the file's `priority` if it is an integer.
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
 * When cron starts the pipeline: five fields like `0 2 * * *`, or `@reboot`, `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. `muster schedule install` writes it to the crontab.
 */
export type Schedule = string;
/**
 * Who is notified, with the run's summary as JSON.
 *
 * @minItems 1
 */
export type Notices = Notice[];

/**
 * A pipeline: steps that depend on each other. Independent steps run in parallel; each has a folder in the pipeline's run directory.
 */
export interface PipelineFile {
  /**
   * `pipeline`; optional.
   */
  kind?: "pipeline";
  /**
   * The name of the pipeline and of its run directory. Default: the file's name without its extension.
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
   * What a scheduled run does if the previous one is still running: `skip` the run, `wait`, or `fail` (exit 75). Default: `skip`.
   */
  overlap?: "skip" | "wait" | "fail";
  /**
   * How long a scheduled run waits for nodes that do not answer yet, e.g. because they are still booting. They are dialled again until they answer or the time is over; then the run goes on, and its `provision` and `verify` steps leave out the nodes that are missing. Default: `10m` for a run that `@reboot` starts (`1s`: hardly at all), otherwise the run does not wait.
   */
  wait_for_nodes?: string | number;
  /**
   * How many finished scheduled runs to keep, or for how long, e.g. `30d`. Unfinished ones are always kept. Default: all.
   */
  keep?: number | string;
  /**
   * A file for metrics of each finished run, relative to the pipeline file, for the textfile collector of node_exporter (`--metrics`).
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
   * Steps that must be complete before this one. Those that `inputs` names are implied.
   */
  needs?: string[];
  /**
   * A job file or jobs file, relative to the pipeline file. Or `STEP/FILE`, an output of another step, which is implied in `needs`: the job is checked as soon as it exists, and a jobs file without jobs completes the step. A file of that path comes first, unless STEP is a command that declares FILE in its `outputs`. Inputs of the job may be missing until the step begins if they lie where a job of a step that it needs publishes `results`.
   */
  job?: string;
  /**
   * Of a job: the folder that relative paths in it start from, and that its project is looked for in; relative to the pipeline file. Default: the job file's folder, and the pipeline's for a job that is an output of a step.
   */
  folder?: string;
  /**
   * Of a job: how much must be done for the step to count as done although chunks failed: a share of its units, e.g. `95%`, or a number of units; instead of the job's own `enough`. What failed is reported and the exit status is 3, but the steps that need this one run. Running the same command again does not try a step again that has reached it. Default: all.
   */
  enough?: string | number | bigint;
  /**
   * Of a job of kind `queue`: its tasks, one a line (JSON lines), or a list in YAML or JSON: a file relative to the pipeline file, or `STEP/FILE`, an output of another step, which is implied in `needs`. They are added when the step begins, and the queue is closed then unless the job has `idle`. Without it, the step waits for tasks from `muster add RUN/STEP` and is complete when the queue is closed.
   */
  tasks?: string;
  /**
   * Of a job or command: values that the step is repeated over, or `lines: FILE`, with one in each line of a file beside the pipeline, or of an output `STEP/FILE`; blank lines are skipped, and space around a value is removed. At most 1000, all different; four repetitions run at once. `{each}` is the value in `command`, and in `job`, `set` and the outputs that `inputs` names. Each repetition has a folder `STEP/VALUE` in the run directory, where characters that are not safe in a name are written as `%XX`. Steps that need this one wait for all; an input `STEP/FILE` is then a folder with `VALUE/FILE` of every repetition, and `STEP/VALUE/FILE` is a single one.
   *
   * @minItems 1
   */
  each?: (string | number | bigint | boolean)[] | {lines: string};
  /**
   * Of a job: overrides, as with `--set`.
   */
  set?: {
    [k: string]: string | number | bigint | boolean;
  };
  /**
   * Of a job: the range `[start, end]`, as with `--range`.
   *
   * @minItems 2
   * @maxItems 2
   */
  range?: [number | bigint, number | bigint];
  /**
   * Files from other steps: path -> `STEP/FILE`. FILE is the step's aggregate, `results.ndjson`, or an output (`CHUNK/OUTPUT` of a matrix); `STEP` alone means all of its results, unless its job publishes them elsewhere. In a job the path is one of the job's `inputs`; a command finds it under `{in}`.
   */
  inputs?: {
    [k: string]: string;
  };
  /**
   * Playbooks to provision the nodes with.
   *
   * @minItems 1
   */
  provision?: string[];
  /**
   * Playbooks to verify on the nodes; drift fails the step.
   *
   * @minItems 1
   */
  verify?: string[];
  /**
   * Of `provision` and `verify`: the nodes to use (names, tags, globs).
   *
   * @minItems 1
   */
  nodes?: string[];
  /**
   * A program and its arguments, run locally without a shell, in the folder of the pipeline file. `{in}` is the folder with its inputs, `{out}` that for its outputs; `{{` and `}}` are literal braces.
   *
   * @minItems 1
   */
  command?: (string | number | bigint | boolean)[];
  /**
   * Of a command: files that it writes under `{out}`. It is complete when it exits 0 and all of them exist.
   */
  outputs?: string[];
  /**
   * Of a command: how long it may run; then its process group is killed. Default: no limit.
   */
  timeout?: string | number;
  /**
   * `changed`: reuse the results of the last run in which the step was complete, if job, inputs and parameters are the same. Default: `always`.
   */
  when?: "always" | "changed";
  schedule?: Schedule;
}
/**
 * A command or a webhook.
 */
export interface Notice {
  /**
   * A program and its arguments, which gets the summary on stdin; it runs in the folder of the pipeline file.
   *
   * @minItems 1
   */
  command?: (string | number | bigint | boolean)[];
  /**
   * An http or https URL to which the summary is sent by POST, with up to three attempts. If the URL contains a secret, use `webhook_env` or `webhook_file`.
   */
  webhook?: string;
  /**
   * The environment variable that holds the URL.
   */
  webhook_env?: string;
  /**
   * The file that holds the URL, relative to the pipeline file, or under `~/`.
   */
  webhook_file?: string;
  /**
   * Of a webhook: the environment variable with the token, sent as `Authorization: Bearer`.
   */
  token_env?: string;
  /**
   * Of a webhook: the file that holds the token, relative to the pipeline file, or under `~/`.
   */
  token_file?: string;
  /**
   * How long one attempt may take. Default: `10s`.
   */
  timeout?: string | number;
}
