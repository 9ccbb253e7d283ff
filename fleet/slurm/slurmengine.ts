import { MusterError } from "../../schemas/errors.js";
import { agentProgram } from "../../templates/nodeprograms.js";
import type { Connection } from "../connection.js";
import type { DialOptions } from "../dialoptions.js";
import type { AllocationEnd, AllocationState, Engine, PilotRequest } from "../engine.js";
import { gatherFacts } from "../facts.js";
import type { Node } from "../node.js";
import type { RelayConnection } from "../relay/relayconnection.js";
import { type AllocatedGpus, findAllocatedGpus } from "./allocatedgpus.js";
import { createBatchScript, explainExit } from "./batchscript.js";
import type { Cluster } from "./cluster.js";
import { LoginConnections } from "./loginconnections.js";
import { type PartitionFacts, parsePartitions, SINFO_WORDS, selectPartitions } from "./partitions.js";
import { type PilotRoute, PilotRoutes } from "./pilotroutes.js";
import { parseQueue, SQUEUE_WORDS } from "./queue.js";
import { formatSbatchWords, parseJobId, parseStartEstimate, type StartEstimate } from "./sbatchwords.js";
import { type SlurmCommand, SlurmCommands } from "./slurmcommands.js";

const SUBMIT_TIMEOUT_SECONDS = 90;
const COMMAND_TIMEOUT_SECONDS = 60;
/** scancel takes many ids, but a command line has a limit. */
const MAX_CANCELLED_AT_ONCE = 500;

/** What Slurm says of a cluster. */
export interface ClusterFacts {
  version: string;
  /** Those that pilots are submitted to; none = there is no such partition. */
  partitions: PartitionFacts[];
  otherPartitions: PartitionFacts[];
  /** The user's own, by id. */
  jobs: ReadonlyMap<string, AllocationState>;
}

/** A Slurm cluster as a source of nodes: everything goes through its login node. */
export class SlurmEngine implements Engine {
  private readonly commands: SlurmCommands;
  private readonly logins: LoginConnections;
  private readonly routes: PilotRoutes;
  /** By job id: they do not change while an allocation lasts. */
  private readonly gpus = new Map<string, AllocatedGpus | undefined>();

  constructor(
    readonly cluster: Cluster,
    dial: (node: Node, options?: DialOptions) => Promise<Connection>,
  ) {
    this.commands = new SlurmCommands(cluster);
    this.logins = new LoginConnections(() => dial(cluster.login));
    this.routes = new PilotRoutes(cluster, this.commands, this.logins, dial);
  }

  async submit({ jobName, run, exclude = [] }: PilotRequest): Promise<string> {
    const killSeconds = await this.commands.killSeconds(await this.logins.forCommand());
    const script = createBatchScript(this.cluster, run, agentProgram(), killSeconds);
    const words = formatSbatchWords(this.cluster.request, jobName, exclude);
    const id = parseJobId(await this.run("sbatch", words, script, SUBMIT_TIMEOUT_SECONDS));
    if (id !== undefined) return id;
    throw new MusterError("LOST", "sbatch printed no job id", { node: this.cluster.name });
  }

  async list(): Promise<ReadonlyMap<string, AllocationState>> {
    return parseQueue(await this.run("squeue", SQUEUE_WORDS));
  }

  async cancel(ids: readonly string[]): Promise<void> {
    for (let from = 0; from < ids.length; from += MAX_CANCELLED_AT_ONCE)
      await this.run("scancel", ids.slice(from, from + MAX_CANCELLED_AT_ONCE)).catch(ignoreUnknownJobs);
  }

  /** Returns what Slurm says of the cluster now. */
  async inspect(): Promise<ClusterFacts> {
    const version = /(\d+\.\d+\S*)/.exec(await this.run("sinfo", ["--version"]))?.[1] ?? "?";
    const all = parsePartitions(await this.run("sinfo", SINFO_WORDS));
    const partitions = selectPartitions(all, this.cluster.request.partition);
    return {
      version,
      partitions,
      otherPartitions: all.filter((one) => !partitions.includes(one)),
      jobs: await this.list(),
    };
  }

  /** Asks Slurm when a pilot that is submitted now would start. Submits nothing. Rejects as `submit` does where it would be refused. */
  async estimateStart(): Promise<StartEstimate> {
    const connection = await this.logins.forCommand();
    const sbatch = await this.commands.find(connection, "sbatch");
    const words = ["--test-only", ...formatSbatchWords(this.cluster.request, "muster-test")];
    // Seconds since 1970: the login node may have another time zone.
    const command = ["env", "SLURM_TIME_FORMAT=%s", sbatch, ...words];
    const options = { stdin: "#!/bin/sh\n", timeout: COMMAND_TIMEOUT_SECONDS };
    const result = await connection.exec(command, options);
    return parseStartEstimate(this.commands.outputOf("sbatch --test-only", result) + result.stderr);
  }

  /** Returns what the login node's shell prints before the output of programs, which is skipped; "" = nothing, as far as was seen. */
  async readShellOutput(): Promise<string> {
    return (await this.logins.forCommand()).shellOutput ?? "";
  }

  async explain(id: string): Promise<AllocationEnd> {
    try {
      const shown = await this.run("scontrol", ["show", "job", "--oneliner", id]);
      return { reason: this.explainState(id, shown), host: / NodeList=([\w.-]+)(?: |$)/.exec(shown)?.[1] };
    } catch (error) {
      if (error instanceof MusterError) return { reason: undefined, host: undefined };
      throw error;
    }
  }

  async open(node: Node, options: DialOptions): Promise<Connection> {
    const relay = await this.routes.open(node, options);
    try {
      return nameGpus(relay, await this.findGpus(relay, node.allocation!.id));
    } catch (error) {
      await relay.close();
      throw error;
    }
  }

  /** How compute nodes are reached; undefined: none has been yet. */
  get route(): PilotRoute | undefined {
    return this.routes.route;
  }

  /** Closes the connections to the login node. */
  async close(): Promise<void> {
    await this.logins.close();
  }

  /** `shown`: what scontrol shows of the job. */
  private explainState(id: string, shown: string): string | undefined {
    const state = /\bJobState=(\S+)/.exec(shown)?.[1] ?? "";
    const code = Number(/\bExitCode=(\d+):/.exec(shown)?.[1] ?? 0);
    const isFailed = state === "FAILED" || (state === "COMPLETING" && code !== 0);
    const comment = /\bComment=(\S+)/.exec(shown)?.[1];
    if (isFailed) return explainExit(this.cluster, code, id, comment) ?? `its batch script exited ${code}`;
    const isPlain = ["COMPLETED", "COMPLETING", "RUNNING", ""].includes(state);
    return isPlain ? undefined : state.toLowerCase().replaceAll("_", " ");
  }

  private async findGpus(relay: RelayConnection, id: string): Promise<AllocatedGpus | undefined> {
    const { vendor } = relay.node.profile;
    if (vendor !== "none" && !this.gpus.has(id)) {
      const { gpus } = await gatherFacts(relay, "with-gpus");
      this.gpus.set(id, findAllocatedGpus(vendor, relay.environment, gpus));
    }
    return this.gpus.get(id);
  }

  private async run(
    command: SlurmCommand,
    words: readonly string[],
    stdin = "",
    seconds = COMMAND_TIMEOUT_SECONDS,
  ): Promise<string> {
    return this.commands.run(await this.logins.forCommand(), command, words, stdin, seconds);
  }
}

/** Returns the connection to a node whose GPUs are known. */
function nameGpus(relay: RelayConnection, gpus: AllocatedGpus | undefined): Connection {
  if (gpus === undefined) return relay;
  const { node } = relay;
  const { cluster, id } = node.allocation!;
  const named = { ...node, pci: gpus.pci, allocation: { cluster, id, devices: gpus.devices } };
  return relay.withNode(named);
}

function ignoreUnknownJobs(error: unknown): void {
  if (!(error instanceof MusterError) || !/Invalid job id/i.test(error.message)) throw error;
}
