import { setTimeout as sleep } from "node:timers/promises";
import { checkFileService } from "../../../fleet/checkfileservice.js";
import type { Connection, Files } from "../../../fleet/connection.js";
import { type Facts, gatherFacts } from "../../../fleet/facts.js";
import type { Node } from "../../../fleet/node.js";
import { MusterError } from "../../../schemas/errors.js";
import type { Chunk, Job } from "../../job/job.js";
import type { Attempt } from "../../schedule/events.js";
import { countThreads, type NodeCapacity } from "../../schedule/slots/capacity.js";
import { findUnknown } from "../../schedule/slots/nodeslots.js";
import type { AgentChannel, AgentEnd } from "../agent/agentchannel.js";
import type { AgentCommand, AgentMessage, DoneMessage, HelloMessage } from "../agent/protocol.js";
import { type RunContext, runFolderOn } from "../runcontext.js";
import { buildAttemptSpec, describeChunk, findState, renderArguments, stagedFilesOf } from "./attemptspec.js";
import { ContentCheck } from "./contentcheck.js";
import { checkDirectory } from "./directorycheck.js";
import { type AcceptedAgent, createProtocolError, type PreviousAttachment, startAgent } from "./handshake.js";
import { MessageBuffer } from "./messagebuffer.js";
import { addPythonEnv, type NodePythonEnv, resolvePythonEnv } from "./nodepythonenv.js";
import { ProjectBuilder } from "./projectbuilder.js";
import { RunningAttempts } from "./runningattempts.js";
import { SpecSender } from "./specsender.js";
import { FileStager } from "./staging.js";
import { stopAgent } from "./stopagent.js";
import { TreeStager } from "./treestaging.js";

/** Why a node is refused that floods its coordinator. */
export const TOO_MANY_MESSAGES = "it sends too many messages that nobody asked for";

/** Where the files of attempts lie on a node, and how to reach them. */
export interface ResultSource {
  files(): Promise<Files>;
  /** The folder of the run on the node. */
  root: string;
}

/** Keeps the logs of an attempt that was ended with its run. Does not reject. */
export type KeepLogs = (done: DoneMessage, source: ResultSource) => Promise<void>;

/** What an attachment needs to know beside the node and the run. */
export interface AttachOptions {
  previous: PreviousAttachment;
  /** Selects the slots that the run uses. `facts`: undefined where nothing depends on them. May throw a MusterError. */
  makeSlots: (facts: Facts | undefined) => NodeCapacity;
  /** Called when the node has answered for the first time. */
  onAnswer?: () => void;
  /** Called right before the agent may be started. */
  onStarting?: () => void;
  /** Fires with a RunOverError when the attachment is not needed any more. */
  signal?: AbortSignal;
}

/**
 * One attachment to the agent of a node: the connection, and messages in both directions until one side ends it. A node that
 * reconnects gets a new attachment; the agent and what it runs stay the same.
 */
export class Attachment implements ResultSource {
  private readonly specs: SpecSender;
  private readonly running: RunningAttempts;
  private readonly contentCheck: ContentCheck;
  private readonly stager: FileStager;
  /** Undefined where there is no project. */
  private readonly treeStager: TreeStager | undefined;
  /** Undefined where the project is not built. */
  private readonly builder: ProjectBuilder | undefined;

  private constructor(
    private readonly run: RunContext,
    private readonly connection: Connection,
    private readonly accepted: AcceptedAgent,
    private readonly messages: MessageBuffer,
    private readonly capacity: NodeCapacity,
    /** Fingerprint of the state that the node was verified to be in; undefined where the job needs no playbooks. */
    readonly fingerprint: string | undefined,
    /** The environment that Python programs run in; undefined = the node's own Python. */
    readonly pythonEnv: NodePythonEnv | undefined,
    private readonly syntaxCheck: Promise<void> | undefined,
  ) {
    const files = () => connection.files();
    const sendCommand = (command: AgentCommand) => this.send(command);
    this.specs = new SpecSender(sendCommand, (job, { spec }, isolate) =>
      buildAttemptSpec(job, spec, run, this, isolate),
    );
    this.contentCheck = new ContentCheck(sendCommand);
    this.stager = new FileStager(files, this.root, run.contents, sendCommand, this.contentCheck, run.packs);
    const route = { files, root: this.root, send: sendCommand, check: this.contentCheck };
    this.treeStager = run.snapshot && new TreeStager(run.snapshot, accepted.agent, route);
    if (run.snapshot !== undefined && run.build !== undefined) {
      const log = { files, root: this.root, logs: run.logs, node: this.node.name };
      const build = { ...run.build, env: addPythonEnv(run.build.env, this.node, pythonEnv) };
      this.builder = new ProjectBuilder(build, run.snapshot, this.node, log, sendCommand);
    }
    this.running = new RunningAttempts(this.hello.held);
    messages.intercept = (message) => {
      this.running.handle(message);
      return this.handleStagingMessage(message);
    };
    void accepted.ended.then(({ kind, reason }) => {
      const error = kind === "violation" ? createProtocolError(this.node, reason) : new MusterError("LOST", reason);
      this.contentCheck.close(error);
      this.treeStager?.close(error);
      this.builder?.close(error);
    });
  }

  /**
   * Connects to a node, gathers facts where something depends on them, verifies the playbooks, and attaches to the run's agent,
   * which is started where it does not run. A node that has rebooted since the previous attachment is provisioned again. Messages
   * are held back until `deliverMessages` is called. Rejects with a MusterError that names the step that failed, and soon after the
   * signal has fired.
   */
  static async attach(node: Node, run: RunContext, options: AttachOptions): Promise<Attachment> {
    const { previous, makeSlots, onAnswer, onStarting, signal } = options;
    const connection = await run.dialer.connect(node, { signal, onAnswer });
    // A moment later, so that an agent that is starting can be told to stop.
    const abandon = () => setImmediate(() => void connection.close());
    signal?.addEventListener("abort", abandon);
    try {
      signal?.throwIfAborted();
      for (const id of run.formerIds) await stopAgent(connection, run.agent, runFolderOn(id, node));
      if (previous.bootId === undefined) await checkFileService(connection);
      const facts = await gatherNeededFacts(connection, run);
      const capacity = makeSlots(facts);
      const hasRebooted = facts !== undefined && (previous.bootId ?? facts.boot) !== facts.boot;
      const fingerprint = facts && (await run.verifyNode?.(connection, facts, hasRebooted));
      if (run.directory !== undefined) await checkDirectory(connection, run.directory);
      const pythonEnv = run.pythonEnv && (await resolvePythonEnv(connection, run.pythonEnv.at));
      const syntaxCheck = run.syntaxCheck?.check(connection, pythonEnv);
      syntaxCheck?.catch(() => {}); // prepareProject awaits it; nobody does where attaching fails
      signal?.throwIfAborted();
      onStarting?.();
      let agent: AgentChannel | undefined;
      const messages = new MessageBuffer(() => agent?.closeForViolation(TOO_MANY_MESSAGES));
      const receive = (message: AgentMessage) => messages.receive(message);
      const accepted = await startAgent(connection, run, { capacity, previous, signal }, receive);
      agent = accepted.agent;
      return new Attachment(run, connection, accepted, messages, capacity, fingerprint, pythonEnv, syntaxCheck);
    } catch (error) {
      await connection.close();
      throw error;
    } finally {
      signal?.removeEventListener("abort", abandon);
    }
  }

  /** Passes every message since the agent's hello, and every later one, to `handle`. */
  deliverMessages(handle: (message: AgentMessage) => void): void {
    this.messages.deliver(handle);
  }

  /**
   * Waits until the job's programs are checked, and builds the project on the node, if the job says how. Rejects with SYNTAX where a
   * program cannot be loaded, BUILD where the build fails, NO_SPACE where the project cannot be stored, PROTOCOL and LOST. `report` is
   * called with messages about a build that takes its time.
   */
  async prepareProject(report: (message: string) => void): Promise<void> {
    await this.syntaxCheck;
    if (this.builder === undefined) return;
    await this.stageTree();
    await this.builder.build(report);
  }

  get hello(): HelloMessage {
    return this.accepted.hello;
  }

  /** Resolves with the reason when the agent sends no more messages. */
  get agentEnded(): Promise<AgentEnd> {
    return this.accepted.ended;
  }

  get node(): Node {
    return this.connection.node;
  }

  /** How many chunks of the run may run on the node at once. */
  get limit(): number {
    return this.capacity.limit ?? this.capacity.slots.length;
  }

  /** How many threads a chunk should have; undefined = the node's cores are not known. */
  get threads(): number | undefined {
    return countThreads(this.capacity, this.run.needs, this.hello.cores);
  }

  /** The run's folder on the node. */
  get root(): string {
    return this.hello.root;
  }

  files(): Promise<Files> {
    return this.connection.files();
  }

  send(command: AgentCommand): void {
    this.accepted.agent.send(command);
  }

  /** Cancels what runs; resolves when its logs are kept, or when it has not ended in time. `report`: called where that may take long. */
  async endRunning(keepLogs: KeepLogs, report: (message: string) => void): Promise<void> {
    await this.running.end({
      cancel: (ids) => this.send({ op: "cancel", ids }),
      keepLogs: (done) => keepLogs(done, this),
      report,
      agentEnded: this.agentEnded,
    });
  }

  /** Stages the files of a chunk; resolves when they are on the node. Returns undefined where they are there already. */
  stageFiles(chunk: Chunk): Promise<unknown> | undefined {
    const files = [...stagedFilesOf(chunk.spec, this.run), ...(findState(chunk, this.run)?.files ?? [])];
    const project = this.isProjectReady ? undefined : this.stageProject();
    return this.stager.isStaged(files) ? project : Promise.all([this.stager.stage(files), project]);
  }

  /** Has the agent start an attempt whose files are staged. */
  sendStart(job: Job, attempt: Attempt): void {
    const { id, chunk, slot } = attempt;
    const slots = attempt.slots && [...attempt.slots];
    this.running.expectGrace(chunk.spec.grace);
    const spec = this.specs.specFor(job, chunk);
    const args = renderArguments(job, attempt, this.run, { root: this.root, threads: this.threads });
    const saveFirst = this.run.preempted.mustSaveFirst(chunk.id) || undefined;
    const details = { ...describeChunk(job, attempt), state: findState(chunk, this.run)?.kept, saveFirst };
    this.send({ op: "start", id, chunk: chunk.id, slot, slots, spec, args, ...details });
  }

  /** Resolves when the agent has ended or the timeout has passed, and the connection is closed. */
  async waitForExit(timeoutSeconds: number): Promise<void> {
    const timer = new AbortController();
    const timeout = sleep(timeoutSeconds * 1000, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([this.agentEnded, timeout]);
    timer.abort();
    await this.connection.close();
  }

  /** Closes the connection at once, without stopping the agent. */
  close(): void {
    this.accepted.agent.detach();
    void this.connection.close();
  }

  /** Sends what is queued and closes the connection. The agent continues and waits for a coordinator until its lease ends. */
  async detach(): Promise<void> {
    this.accepted.agent.detach();
    await this.connection.close();
  }

  /** The key of the project's build on the node; undefined = it is not built. */
  get buildKey(): string | undefined {
    return this.builder?.key;
  }

  /** Whether the node has the project, as far as is known here. */
  private get isProjectReady(): boolean {
    return this.treeStager?.isStaged !== false && (this.builder === undefined || this.builder.key !== undefined);
  }

  private async stageProject(): Promise<void> {
    await this.stageTree();
    if (this.builder?.key === undefined) await this.builder?.build(() => {});
  }

  private stageTree(): Promise<void> | undefined {
    return this.treeStager === undefined || this.treeStager.isStaged ? undefined : this.treeStager.stage();
  }

  /** Handles a message about staged files or a build. Returns whether it is the answer to a question. */
  private handleStagingMessage(message: AgentMessage): boolean {
    if (message.ev === "tree") return this.treeStager?.handleReply(message) ?? false;
    if (message.ev === "taken" || message.ev === "found" || message.ev === "unpacked")
      return this.contentCheck.handleReply(message);
    if (message.ev === "built") return this.builder?.handleReply(message) ?? false;
    if (message.ev !== "lacks") return false;
    this.stager.forget(message.sha256);
    if (this.treeStager !== undefined) this.treeStager.isStaged = false;
    if (this.builder !== undefined) this.builder.key = undefined;
    return false;
  }
}

/** Gathers facts where something depends on them: that takes a round trip and a process, and seconds for GPUs. */
async function gatherNeededFacts(connection: Connection, run: RunContext): Promise<Facts | undefined> {
  const unknown = run.verifyNode === undefined ? findUnknown(connection.node, run.needs) : "gpus";
  return unknown && gatherFacts(connection, unknown === "gpus" ? "with-gpus" : "without-gpus");
}
