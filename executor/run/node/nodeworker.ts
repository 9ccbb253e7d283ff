import { EventEmitter, once } from "node:events";
import type { Facts } from "../../../fleet/facts.js";
import type { Node } from "../../../fleet/node.js";
import { MusterError } from "../../../schemas/errors.js";
import type { Job } from "../../job/job.js";
import { renderTemplate } from "../../job/template.js";
import type { Attempt, Event, Slot } from "../../schedule/events.js";
import { selectSlots } from "../../schedule/slots/nodeslots.js";
import { MessageRateLimiter } from "../agent/messageratelimiter.js";
import { type AgentCommand, type AgentMessage, decodeHeldAttempt } from "../agent/protocol.js";
import type { SignedAttemptIds } from "../agent/signedids.js";
import { failpoint } from "../failpoint.js";
import type { NodeConnectionState } from "../record/journalentry.js";
import type { ResultSource } from "../results/pulloutputs.js";
import type { RunContext } from "../runcontext.js";
import { monotonicSeconds } from "../timer.js";
import { AgentTracker, describeAgentChange } from "./agenttracker.js";
import { Attachment } from "./attachment.js";
import { withoutNodeName } from "./attemptfailure.js";
import { CleanupState } from "./cleanupstate.js";
import { createProtocolError } from "./handshake.js";
import { interruptibleSleep } from "./interruptiblesleep.js";
import { ReconnectBackoff } from "./reconnectbackoff.js";
import { isAccessDenied, shouldReconnect } from "./reconnectpolicy.js";

const MAX_RECONNECT_PAUSE_SECONDS = 60; // longest pause between two tries to reach a node, seconds
/** How long a node that is away is given to come back at the end of the run, seconds. */
const FINAL_RECONNECT_TIMEOUT_SECONDS = 10;
const LOST_AFTER_TIMEOUTS = 2; // so many of late mark a node that can be reached as lost
/** What is said of one that is silent then, and of one that did not come back. */
const WAITING_FOR_SILENT_NODE = "it is silent at the end of the run, and waited for, so that nothing stays there";
const UNREACHED_AT_END = "it could not be reached at the end: what is there goes when the agent's lease ends";
/** And of one whose grace period ends though it was back in between. */
const UNSTABLE_CONNECTION = "its connection keeps failing, its chunks go to others";

/** What a member tells the coordinator. */
export interface NodeListener {
  event(event: Event): void;
  message(member: NodeWorker, message: AgentMessage): void;
  /** Its state has changed. */
  changed(member: NodeWorker): void;
  /** `attempt` cannot be started on its node, to which `origin` was the way. */
  unstartable(attempt: Attempt, error: unknown, origin: ResultSource): void;
}

/** A node in a run, through all its attachments: it joins, falls silent, comes back or is given up, and comes back still. */
export class NodeWorker {
  state: NodeConnectionState = "connecting";
  /** Why it is not live. */
  reason: string | undefined;
  /** The error behind `reason`, of a node that could not be used. */
  error: MusterError | undefined;
  slots: Slot[] = [];
  /** Slots whose next chunk waits for the node's memory. */
  memoryWaitingSlots = 0;
  /** Of the state that it was verified to be in; undefined where the job needs no playbooks. */
  fingerprint: string | undefined;
  /** PCI addresses of its GPUs by index, once a look has told them. */
  gpuAddresses: string[] = [];
  /** For what it says unasked, through all its attachments. */
  readonly rateLimiter = new MessageRateLimiter();
  readonly cleanup = new CleanupState();
  private readonly agentTracker: AgentTracker;
  private attachment: Attachment | undefined;
  private readonly runOver = new AbortController();
  private readonly changes = new EventEmitter();
  private readonly backoff: ReconnectBackoff;

  constructor(
    readonly node: Node,
    private readonly job: Job,
    private readonly run: RunContext,
    private readonly ids: SignedAttemptIds,
    private readonly listener: NodeListener,
  ) {
    this.agentTracker = new AgentTracker(node.leaseSeconds);
    this.backoff = new ReconnectBackoff(node.graceSeconds);
  }

  /** The first try; resolves when it has joined or failed. A node that may come back is tried again in the background. */
  async join(): Promise<void> {
    if (!(await this.attach()) && this.state === "away") void this.reconnect();
  }

  /** Starts an attempt here: at once where its files are staged already. */
  start(attempt: Attempt): void {
    const { attachment: session } = this;
    if (session === undefined) return;
    const staging = session.stageFiles(attempt.chunk.spec);
    if (staging === undefined) return this.sendStart(session, attempt);
    staging.then(
      () => this.sendStart(session, attempt),
      (error) => this.listener.unstartable(attempt, error, session),
    );
  }

  send(message: AgentCommand): void {
    this.attachment?.send(message);
  }

  /** Whether the node can be reached, though it gets no work. */
  get isReachable(): boolean {
    return this.state === "refused" && !isAccessDenied(this.error?.code ?? "");
  }

  /** Where results lie; undefined while the node is silent. */
  get resultSource(): ResultSource | undefined {
    return this.attachment;
  }

  /** The way `origin` to this node failed, though it may still stand (half-open, or a file server that hangs): find a new one. */
  reportConnectionError(origin: ResultSource, error: Error): void {
    const { attachment: session } = this;
    if (session === undefined || session !== origin) return;
    this.handleDisconnect(session, error.message);
    if (!(error instanceof MusterError) || error.code !== "TIMEOUT") return;
    const timeouts = this.backoff.recordTimeout(monotonicSeconds());
    if (timeouts >= LOST_AFTER_TIMEOUTS) this.declareLost(`${timeouts} times in a row`);
  }

  /**
   * Ends the agent and removes what is on the node. A node that has fallen silent is waited for as long as for its chunks, one
   * that is away is tried once more; then all that is left to the agent's lease, and said.
   */
  async stop(): Promise<void> {
    if (this.cleanup.mayHaveLeftovers && this.attachment === undefined) await this.waitForReconnect();
    this.runOver.abort();
    const { attachment: session } = this;
    if (session === undefined) {
      this.cleanup.markUnreached(this.reason);
      if (this.agentTracker.lastAgent !== undefined)
        this.listener.message(this, { ev: "problem", message: UNREACHED_AT_END });
      return;
    }
    this.cleanup.markStopRequested();
    session.send({ op: "stop" });
    await session.waitForExit(this.node.graceSeconds);
    this.attachment = undefined;
  }

  /** Lets go of the node; what runs there goes on. */
  async detach(): Promise<void> {
    this.runOver.abort();
    await this.attachment?.detach();
    this.attachment = undefined;
  }

  /** Resolves when it is back, or not to be waited for any longer. */
  private async waitForReconnect(): Promise<void> {
    if (this.state === "silent") this.listener.message(this, { ev: "problem", message: WAITING_FOR_SILENT_NODE });
    this.changes.emit("hurry");
    while (this.state === "silent") await once(this.changes, "change");
    if (this.state !== "away" && this.state !== "connecting") return;
    const signal = AbortSignal.timeout(FINAL_RECONNECT_TIMEOUT_SECONDS * 1000);
    await once(this.changes, "change", { signal }).catch(() => {});
  }

  private sendStart(session: Attachment, attempt: Attempt): void {
    const { id, chunk, slot } = attempt;
    const place = this.slots.find((one) => one.slot === slot);
    const values = { gpu: `${place?.gpu ?? slot}`, out: `${session.root}/a/${id}/work` };
    const args = chunk.spec.args.map((template) => renderTemplate(template, values));
    session.send({ op: "start", id, chunk: chunk.id, slot, spec: session.sendSpec(this.job, chunk.spec), args });
  }

  private async attach(): Promise<boolean> {
    try {
      // What the agent sends again right after its hello must not be met before the scheduler knows what it holds.
      const early: AgentMessage[] = [];
      let joined = false;
      const receive = (message: AgentMessage) => (joined ? this.receive(message) : early.push(message));
      const known = { bootId: this.agentTracker.lastAgent?.boot, cards: this.gpuAddresses };
      const starting = () => {
        if (this.runOver.signal.aborted) throw new MusterError("LOST", 69, "the run is over");
        this.cleanup.markAgentStarting();
      };
      const slots = (facts: Facts | undefined) => this.makeSlots(facts);
      const session = await Attachment.attach(this.node, this.run, known, slots, starting, receive);
      if (this.runOver.signal.aborted) {
        await session.detach();
        return true;
      }
      this.handleAttached(session);
      joined = true;
      for (const message of early) this.receive(message);
      void session.agentEnded.then(({ kind, reason }) =>
        kind === "violation" ? this.refuse(session, reason) : this.handleDisconnect(session, reason),
      );
      return true;
    } catch (error) {
      this.handleAttachError(error);
      return false;
    }
  }

  private receive(message: AgentMessage): void {
    this.agentTracker.recordMessage();
    if (message.ev === "bye") this.cleanup.recordBye(message);
    this.listener.message(this, message);
  }

  private handleAttached(session: Attachment): void {
    failpoint("attached");
    const { hello } = session;
    const change = this.agentTracker.recordAttachment(hello);
    this.backoff.recordAttached(monotonicSeconds(), change !== undefined);
    this.attachment = session;
    this.fingerprint = session.fingerprint;
    this.setState("live", undefined);
    if (change !== undefined) this.listener.message(this, { ev: "problem", message: describeAgentChange(change) });
    const { node, slots } = this;
    const limit = node.maxConcurrent ?? slots.length;
    const { genuine, strangers } = this.ids.partition(hello.held, node.name);
    if (strangers.length > 0) session.send({ op: "cancel", ids: strangers.map(({ id }) => id) });
    const held = genuine.map(decodeHeldAttempt);
    this.listener.event({ type: "nodeJoined", node: node.name, slots, limit, held, agentDied: change === "died" });
  }

  private makeSlots(facts: Facts | undefined): Slot[] {
    const gpus = facts?.gpus.filter((gpu) => gpu.vendor === this.node.profile.vendor).length ?? 0;
    const machine = { cores: facts?.cores ?? 0, gpus, memory: facts?.memory.total };
    const slots = selectSlots(this.node, machine, this.job.needs);
    if (typeof slots === "string") throw new MusterError("NO_SLOTS", 69, slots);
    this.slots = slots;
    return slots;
  }

  private handleAttachError(error: unknown): void {
    if (!(error instanceof MusterError)) throw error;
    this.error = error;
    const comesBack = shouldReconnect(error.code, this.slots.length > 0);
    this.setState(
      comesBack ? (this.state === "silent" ? "silent" : "away") : "refused",
      withoutNodeName(this.node, error),
    );
    if (this.state === "refused") this.listener.event({ type: "nodeLost", node: this.node.name });
  }

  private handleDisconnect(session: Attachment, reason: string): void {
    if (this.attachment !== session) return;
    this.attachment = undefined;
    session.close();
    if (this.runOver.signal.aborted) return;
    this.backoff.recordLost(monotonicSeconds());
    this.setState("silent", [reason, this.backoff.reason].filter((text) => text !== undefined).join("; "));
    this.listener.event({ type: "nodeDisconnected", node: this.node.name });
    void this.reconnect();
  }

  /** What the node says cannot be relied on: it gets no more work, and what it holds goes to others. */
  refuseForViolation(reason: string): void {
    if (this.attachment !== undefined) this.refuse(this.attachment, reason);
  }

  private refuse(session: Attachment, reason: string): void {
    if (this.attachment !== session) return;
    this.attachment = undefined;
    session.close();
    if (!this.runOver.signal.aborted) this.handleAttachError(createProtocolError(this.node, reason));
  }

  /** Tries again with growing pauses until it is back, refused, or the run is over; gives its chunks away after `grace`. */
  private async reconnect(): Promise<void> {
    const { signal } = this.runOver;
    const { graceSeconds: grace } = this.node;
    const { pauseSeconds, graceLeftSeconds = grace } = this.backoff;
    const timers = [setTimeout(() => this.declareLost(`silent for ${grace} s`), grace * 1000)];
    if (graceLeftSeconds < grace) timers.push(setTimeout(() => this.requeueChunks(), graceLeftSeconds * 1000));
    try {
      for (let seconds = pauseSeconds; !signal.aborted; seconds = Math.min(seconds * 2, MAX_RECONNECT_PAUSE_SECONDS)) {
        await interruptibleSleep(seconds, this.changes, signal);
        if ((await this.attach()) || this.state === "refused") return;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      for (const timer of timers) clearTimeout(timer);
    }
  }

  private declareLost(why: string): void {
    if (this.state !== "silent") return;
    this.setState("away", `${this.reason}; ${why}, its chunks go to others`);
    this.listener.event({ type: "nodeLost", node: this.node.name });
  }

  /** It was back for moments only since its grace period began: its chunks do not wait for it any longer, but the run does. */
  private requeueChunks(): void {
    if (this.state !== "silent") return;
    this.listener.message(this, { ev: "problem", message: UNSTABLE_CONNECTION });
    this.listener.event({ type: "nodeLost", node: this.node.name });
  }

  private setState(state: NodeConnectionState, reason: string | undefined): void {
    const news = state !== this.state;
    this.state = state;
    this.reason = reason;
    if (!news) return;
    this.listener.changed(this);
    this.changes.emit("change");
  }
}
