/** A partition of the lab's Slurm, with all compute nodes. */
export interface SlurmPartition {
  name: string;
  /** MaxTime in minutes. Default: none. */
  maxMinutes?: number;
  /** DefaultTime in minutes. Default: MaxTime. */
  defaultMinutes?: number;
  /** PriorityTier; with `preempt`, jobs of a higher tier take the place of those of a lower one. Default 1. */
  tier?: number;
  /** Names of the compute nodes that belong to it. Default: all. */
  nodes?: string[];
}

export interface SlurmOptions {
  /** Cards of each compute node, as Slurm counts them. Default 2. */
  gpus?: number;
  /** Processors that each compute node declares. Default 8. */
  cpus?: number;
  /** Memory that each compute node declares, in MB. Default 16,000. */
  memoryMb?: number;
  /** The first one is the default. Default: one named gpu. */
  partitions?: SlurmPartition[];
  /** Whether the first node, which is the controller and the login node, is a compute node, too. Default: only where it is the only one. */
  loginComputes?: boolean;
  /** What becomes of jobs that one of a partition of a higher tier takes the place of. Default: there is no preemption. */
  preempt?: "requeue" | "cancel";
  /** From SIGTERM to SIGKILL of a job that is ended; slurmd waits at least 5. Default 5 (Slurm's: 30). */
  killWaitSeconds?: number;
  /** How long `scontrol` shows a job that has ended; at least 2. Default 300, as Slurm's. */
  minJobAgeSeconds?: number;
  /** After how long a node that does not answer is down. Default 20 (Slurm's: 300). */
  slurmdTimeoutSeconds?: number;
  /** Jobs that the user may have in the queue: MaxSubmitJobs of an association, which fakes/sbatch plays. Default: no limit. */
  maxSubmitJobs?: number;
  /** Accounts that there are, as a script of the controller plays them. Default: any name does, as where there is no accounting. */
  accounts?: string[];
  /** Further lines of slurm.conf, or others in the place of those of the lab, e.g. `{ MaxArraySize: 5000 }`. */
  config?: Record<string, string | number>;
}

/** A node of the lab as slurm.conf names it. */
export interface SlurmHost {
  name: string;
  host: string;
}

/** Returns the ports of Slurm on a lab's nodes: no other lab on this machine has the same address block, and the kernel gives none to others. */
function slurmPort(host: string, role: "slurmctld" | "slurmd"): number {
  const [block, index] = host.split(".").slice(2).map(Number) as [number, number];
  return 10_000 + block * 64 + (role === "slurmctld" ? 0 : index);
}

/** Returns the device files of a compute node's cards. */
export function listDeviceFiles(options: SlurmOptions): string[] {
  return Array.from({ length: options.gpus ?? 2 }, (_, index) => `/dev/lab/gpu${index}`);
}

/** Returns slurm.conf. */
export function formatSlurmConf(
  cluster: string,
  controller: SlurmHost,
  compute: SlurmHost[],
  options: SlurmOptions,
): string {
  const settings: Record<string, string | number> = {
    ClusterName: cluster,
    SlurmctldHost: `${controller.name}(${controller.host})`,
    SlurmctldPort: slurmPort(controller.host, "slurmctld"),
    CommunicationParameters: "NoCtldInAddrAny",
    AuthType: "auth/munge",
    CredType: "cred/munge",
    SlurmUser: "root",
    StateSaveLocation: "/var/spool/slurmctld",
    SlurmdSpoolDir: "/var/spool/slurmd",
    SlurmctldPidFile: "/run/slurmctld.pid",
    SlurmdPidFile: "/run/slurmd.pid",
    SlurmctldLogFile: "/var/log/slurm/slurmctld.log",
    SlurmdLogFile: "/var/log/slurm/slurmd.log",
    // The nodes of a lab have no cgroups of their own.
    ProctrackType: "proctrack/linuxproc",
    TaskPlugin: "task/none",
    JobAcctGatherType: "jobacct_gather/none",
    AccountingStorageType: "accounting_storage/none",
    SelectType: "select/cons_tres",
    SelectTypeParameters: "CR_Core_Memory",
    DefMemPerCPU: 100,
    // Processors and memory are what this file says, not what the machine has.
    SlurmdParameters: "config_overrides",
    GresTypes: "gpu",
    MpiDefault: "none",
    ReturnToService: 2,
    SlurmdTimeout: options.slurmdTimeoutSeconds ?? 20,
    KillWait: options.killWaitSeconds ?? 5,
    MinJobAge: options.minJobAgeSeconds ?? 300,
    // Jobs are considered at once instead of up to 3, 30 and 60 s later.
    SchedulerParameters: "batch_sched_delay=0,sched_interval=1,bf_interval=1",
    ...(options.preempt === undefined
      ? {}
      : { PreemptType: "preempt/partition_prio", PreemptMode: options.preempt.toUpperCase() }),
    ...(options.accounts === undefined ? {} : { JobSubmitPlugins: "lua" }),
    ...options.config,
  };
  const gres = options.gpus === 0 ? "" : ` Gres=gpu:${options.gpus ?? 2}`;
  const size = `CPUs=${options.cpus ?? 8} RealMemory=${options.memoryMb ?? 16_000}${gres}`;
  const nodes = compute.map(
    ({ name, host }) => `NodeName=${name} NodeAddr=${host} Port=${slurmPort(host, "slurmd")} ${size} State=UNKNOWN`,
  );
  const partitions = (options.partitions ?? [{ name: "gpu" }]).map((one, index) => formatPartition(one, index === 0));
  return [...Object.entries(settings).map(([name, value]) => `${name}=${value}`), ...nodes, ...partitions, ""].join(
    "\n",
  );
}

function formatPartition(partition: SlurmPartition, isDefault: boolean): string {
  const { name, nodes, maxMinutes, defaultMinutes, tier } = partition;
  return [
    `PartitionName=${name} Nodes=${nodes?.join(",") ?? "ALL"} Default=${isDefault ? "YES" : "NO"} State=UP`,
    `MaxTime=${maxMinutes ?? "INFINITE"}`,
    ...(defaultMinutes === undefined ? [] : [`DefaultTime=${defaultMinutes}`]),
    `PriorityTier=${tier ?? 1}`,
  ].join(" ");
}

/** Returns gres.conf. */
export function formatGresConf(options: SlurmOptions): string {
  return listDeviceFiles(options)
    .map((file) => `Name=gpu File=${file}\n`)
    .join("");
}

/** Returns job_submit.lua, which refuses what an accounting database (slurmdbd and MariaDB) would refuse, with the same words. */
export function formatJobSubmit(accounts: string[]): string {
  return `local accounts = { ${accounts.map((name) => `["${name}"] = true`).join(", ")} }

function slurm_job_submit(job)
  if job.account ~= nil and not accounts[job.account] then return slurm.ESLURM_INVALID_ACCOUNT end
  return slurm.SUCCESS
end

function slurm_job_modify() return slurm.SUCCESS end

return slurm.SUCCESS
`;
}
