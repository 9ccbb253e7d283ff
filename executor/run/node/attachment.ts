import { setTimeout as sleep } from "node:timers/promises";
import type { Connection, Files } from "../../../fleet/connection.js";
import { type Facts, gatherFacts } from "../../../fleet/facts.js";
import type { Node } from "../../../fleet/node.js";
import type { ChunkSpec, Job } from "../../job/job.js";
import type { Slot } from "../../schedule/events.js";
import { findUnknown } from "../../schedule/slots/nodeslots.js";
import type { AgentChannel, AgentEnd } from "../agent/agentchannel.js";
import type { AgentCommand, AgentMessage, AttemptSpec } from "../agent/protocol.js";
import type { ResultSource } from "../results/pulloutputs.js";
import { type RunContext, runFolderOn } from "../runcontext.js";
import { type HelloMessage, type PreviousAttachment, startAgent } from "./handshake.js";
import { FileStager, stagedFilesOf } from "./staging.js";
import { stopAgent } from "./stopagent.js";

/**
 * One attachment to one node's agent: from the connection to the agent's `hello`, then messages both ways until one side
 * goes. A node that comes back gets a new one; the agent and what it runs are the same.
 */
export class Attachment implements ResultSource {
  private isSpecSent = false;

  private constructor(
    readonly node: Node,
    private readonly run: RunContext,
    private readonly connection: Connection,
    private readonly agent: AgentChannel,
    private readonly stager: FileStager,
    readonly hello: HelloMessage,
    /** Resolves with the reason when no more will come from the agent. */
    readonly agentEnded: Promise<AgentEnd>,
    /** Of the state that the node was verified to be in. */
    readonly fingerprint: string | undefined,
  ) {}

  /**
   * Connects, asks the node for its facts where they are needed, sends the agent there and attaches to it (starting it where it does not run).
   * `known`: of the attachment before this one; a node that has rebooted since is brought into state again.
   * `slots` makes slots of the facts, or says why there are none. Rejects with a MusterError that names the step.
   * `starting` is called right before the agent may be started; `receive` gets what the agent says after its hello.
   */
  static async attach(
    node: Node,
    run: RunContext,
    known: PreviousAttachment,
    slots: (facts: Facts | undefined) => Slot[],
    starting: () => void,
    receive: (message: AgentMessage) => void,
  ): Promise<Attachment> {
    const connection = await run.dialer.connect(node);
    try {
      for (const id of run.formerIds) await stopAgent(connection, run.agent, runFolderOn(id, node));
      const facts = await gatherNeededFacts(connection, run);
      const setup = slots(facts);
      const fingerprint =
        facts && (await run.verifyNode?.(connection, facts, (known.bootId ?? facts.boot) !== facts.boot));
      starting();
      const { agent, hello, ended: gone } = await startAgent(connection, run, setup, known, receive);
      return new Attachment(
        node,
        run,
        connection,
        agent,
        new FileStager(
          () => connection.files(),
          hello.root,
          run.contents,
          (message) => agent.send(message),
        ),
        hello,
        gone,
        fingerprint,
      );
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  get root(): string {
    return this.hello.root;
  }

  files(): Promise<Files> {
    return this.connection.files();
  }

  send(message: AgentCommand): void {
    this.agent.send(message);
  }

  /** Resolves when all that `work` needs is on the node; undefined when it is there already. */
  stageFiles(work: ChunkSpec): Promise<void> | undefined {
    return this.stager.isStaged(work) ? undefined : this.stager.stage(work);
  }

  /**
   * What the agent has to know to run `work`: for a job whose chunks differ in their arguments alone it is told once and
   * then called by name.
   */
  sendSpec(job: Job, work: ChunkSpec): string | AttemptSpec {
    if (job.kind === "tasks") return this.buildSpec(job, work);
    if (!this.isSpecSent) this.send({ op: "spec", id: "job", spec: this.buildSpec(job, work) });
    this.isSpecSent = true;
    return "job";
  }

  /** Resolves when the agent has gone, or after `patience` seconds; then the connection is closed. */
  async waitForExit(patience: number): Promise<void> {
    const timer = new AbortController();
    await Promise.race([this.agentEnded, sleep(patience * 1000, undefined, { signal: timer.signal }).catch(() => {})]);
    timer.abort();
    await this.connection.close();
  }

  /** Lets go of a node that does not answer as it should: the agent there may live, this way to it is given up. */
  close(): void {
    this.agent.detach();
    void this.connection.close();
  }

  /** Leaves the agent to itself: it keeps what it has and waits for a coordinator, for as long as its lease lasts. */
  async detach(): Promise<void> {
    this.agent.detach();
    await this.connection.close();
  }

  private buildSpec(job: Job, work: ChunkSpec): AttemptSpec {
    const { contents } = this.run;
    return {
      argv: this.buildArgv(work),
      env: work.env,
      files: stagedFilesOf(work).map(({ path, source }) => [
        path,
        contents.get(source)!.sha256,
        contents.get(source)!.mode,
      ]),
      outputs: [...work.outputs],
      timeout: work.timeout,
      limit: job.limits.output,
      memory: job.needs.memory,
    };
  }

  private buildArgv(work: ChunkSpec): string[] {
    if (work.program.kind === "command") return [...work.program.command];
    const prefix = work.program.prefix.map((word) => (word === "{python}" ? this.node.python : word));
    return prefix.length > 0 ? [...prefix, work.program.script.path] : [`./${work.program.script.path}`];
  }
}

/** A look costs a round trip and a process, one at GPUs seconds: there is none where nothing depends on what is found. */
async function gatherNeededFacts(connection: Connection, run: RunContext): Promise<Facts | undefined> {
  const unknown = run.verifyNode === undefined ? findUnknown(connection.node, run.needs) : "gpus";
  return unknown && gatherFacts(connection, unknown === "gpus" ? "with-gpus" : "without-gpus");
}
