import { MusterError } from "../../schemas/errors.js";
import { relayProgram } from "../../templates/nodeprograms.js";
import type { Connection } from "../connection.js";
import { ConnectionError } from "../connectionerror.js";
import type { DialOptions } from "../dialoptions.js";
import type { Node } from "../node.js";
import { connectRelay, type RelayConnection } from "../relay/relayconnection.js";
import type { Cluster } from "./cluster.js";
import type { LoginConnections } from "./loginconnections.js";
import type { SlurmCommands } from "./slurmcommands.js";
import { isUnanswered } from "./slurmerror.js";

const QUEUE_TIMEOUT_SECONDS = 60;
/** Errors of a step that another way to the compute node may not have. */
const STEP_ERRORS = new Set(["SHELL", "CONFIG", "MISSING", "TIMEOUT"]);

/** How the compute nodes of a cluster are reached: by steps of Slurm, or over SSH, through the login node. */
export type PilotRoute = "step" | "ssh";

/** Ways to the compute nodes of a cluster's pilots. The first that works is the one for all of them. */
export class PilotRoutes {
  /** undefined: none has worked yet. */
  route: PilotRoute | undefined;

  constructor(
    private readonly cluster: Cluster,
    private readonly commands: SlurmCommands,
    private readonly logins: LoginConnections,
    private readonly dial: (node: Node, options?: DialOptions) => Promise<Connection>,
  ) {}

  /** Opens a relay in a pilot that runs. Rejects with a MusterError, which has both reasons where neither way works. */
  async open(node: Node, options: DialOptions): Promise<RelayConnection> {
    if (this.route === "ssh") return this.openMachine(node, await this.findHost(node), options);
    try {
      const relay = await this.openStep(node, options);
      this.route = "step";
      return relay;
    } catch (error) {
      if (this.route === "step" || !(error instanceof MusterError) || !STEP_ERRORS.has(error.code)) throw error;
      if (isUnanswered(error.reason)) throw error; // it passes, and says nothing of steps
      return await this.openInstead(node, error, options);
    }
  }

  private async openInstead(node: Node, stepError: MusterError, options: DialOptions): Promise<RelayConnection> {
    const host = await this.findHost(node).catch(() => {
      throw stepError;
    });
    try {
      const relay = await this.openMachine(node, host, { signal: options.signal });
      this.route ??= "ssh"; // a step of another pilot may have worked meanwhile
      return relay;
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      throw createRouteError(node, host, stepError, error);
    }
  }

  /** Opens a relay in a step of the allocation. */
  private async openStep(node: Node, { signal, onAnswer }: DialOptions): Promise<RelayConnection> {
    signal?.throwIfAborted();
    const place = await this.logins.reserve();
    onAnswer?.();
    try {
      const srun = await this.commands.findStepCommand(place.connection);
      const step = [srun, `--jobid=${node.allocation!.id}`, "--overlap", "--nodes=1", "--ntasks=1", "--quiet"];
      const channel = await place.connection.open([...step, node.python, ...relayProgram().args]);
      const relay = await connectRelay(channel, node, { release: async () => place.release() });
      void relay.closed.then(() => place.release());
      return relay;
    } catch (error) {
      place.release();
      throw error;
    }
  }

  /** Opens a relay over SSH to the compute node. It takes the environment of the allocation from the agent there. */
  private async openMachine(node: Node, host: string, options: DialOptions): Promise<RelayConnection> {
    const { login } = this.cluster;
    const via = login.connection === "ssh" ? login : undefined;
    const machine: Node = { ...login, name: node.name, connection: "ssh", host, port: undefined, via };
    const connection = await this.dial(machine, options);
    try {
      const channel = await connection.open([node.python, ...relayProgram(node.allocation!.id).args]);
      const release = () => connection.close();
      const relay = await connectRelay(channel, node, { hostKey: connection.hostKey, release });
      void relay.closed.then(release);
      return relay;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /** Returns Slurm's name of the compute node. Rejects where the pilot does not run. */
  private async findHost({ name, allocation }: Node): Promise<string> {
    const words = ["--noheader", `--jobs=${allocation!.id}`, "--states=RUNNING", "--format=%i|%N"];
    const connection = await this.logins.forCommand();
    const output = await this.commands.run(connection, "squeue", words, "", QUEUE_TIMEOUT_SECONDS);
    const host = /^\s*\d+\|([\w.-]+)\s*$/m.exec(output)?.[1];
    if (host !== undefined) return host;
    throw new ConnectionError("LOST", { node: name, step: "find its compute node" }, "its job does not run");
  }
}

/** A log-in that is refused ends the pilot, unless the step might only have been late. */
function createRouteError(node: Node, host: string, stepError: MusterError, error: ConnectionError): ConnectionError {
  const code = stepError.code === "TIMEOUT" ? "TIMEOUT" : error.code;
  const where = { node: node.name, step: "reach its compute node" };
  const step = stepError instanceof ConnectionError ? stepError.detail : stepError.reason;
  const detail = `by a step of Slurm: ${step}; over SSH to ${host}: ${error.step}: ${error.detail}`;
  const next = `make one of the two possible: \`srun --overlap\` on the login node, or a log-in to the nodes of one's jobs (ssh -J LOGIN ${host})`;
  return new ConnectionError(code, where, detail, { next, cause: error });
}
