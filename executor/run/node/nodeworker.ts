import { EventEmitter } from "node:events";
import type { Node } from "../../../fleet/node.js";
import { MusterError } from "../../../schemas/errors.js";
import type { Job } from "../../job/job.js";
import type { Attempt, Slot } from "../../schedule/events.js";
import { MessageRateLimiter } from "../agent/messageratelimiter.js";
import type { AgentCommand, AgentMessage } from "../agent/protocol.js";
import type { SignedAttemptIds } from "../agent/signedids.js";
import { failpoint } from "../failpoint.js";
import type { NodeConnectionState } from "../record/journalentry.js";
import type { RunContext } from "../runcontext.js";
import { monotonicSeconds } from "../timer.js";
import { AgentTracker, describeAgentChange } from "./agenttracker.js";
import { Attachment, type KeepLogs, type ResultSource, TOO_MANY_MESSAGES } from "./attachment.js";
import { withoutNodeName } from "./attemptfailure.js";
import { AttemptLauncher } from "./attemptlauncher.js";
import { awaitAttachment } from "./awaitattachment.js";
import { CleanupState } from "./cleanupstate.js";
import { FirstAnswer } from "./firstanswer.js";
import { createProtocolError } from "./handshake.js";
import { claimHeldAttempts } from "./heldattempts.js";
import { routeMessage } from "./messagerouting.js";
import type { NodeEvent } from "./nodeevent.js";
import { Preparation } from "./preparation.js";
import { ReconnectBackoff } from "./reconnectbackoff.js";
import { findStateAfterError, isGone, LOST_AFTER_TIMEOUTS } from "./reconnectpolicy.js";
import { UNREACHED_AT_END, UNSTABLE_CONNECTION, WAITING_FOR_SILENT_NODE } from "./reconnectwarnings.js";
import { retryWithBackoff } from "./retrywithbackoff.js";
import { leaveAtRunEnd, RunOverError } from "./runover.js";
import { selectNodeSlots } from "./selectnodeslots.js";
import { SlotMonitor } from "./slotmonitor.js";

/** Keeps one node of a run attached: connects, reconnects with backoff, and gives its chunks up after its grace period. */
export class NodeWorker {
  state: NodeConnectionState = "connecting";
  /** Why the node is not live. */
  reason: string | undefined;
  /** The error behind `reason`, where the node could not be used. */
  error: MusterError | undefined;
  slots: Slot[] = [];
  /** Fingerprint of the state that the node was verified to be in; undefined where the job needs no playbooks. */
  fingerprint: string | undefined;
  /** Limits the messages that belong to no attempt, across all attachments. */
  readonly rateLimiter = new MessageRateLimiter();
  readonly cleanup = new CleanupState();
  readonly slotMonitor: SlotMonitor;
  readonly firstAnswer = new FirstAnswer();
  /** It is being healed, and expected back. */
  isHealing = false;
  /** When it leaves the run, in monotonic seconds; undefined = never. */
  deadline: number | undefined;
  private readonly launcher: AttemptLauncher;
  readonly agentTracker: AgentTracker;
  private attachment: Attachment | undefined;
  readonly preparation: Preparation;
  private readonly runOver = new AbortController();
  /** Emits "change" with each new state and attachment. */
  readonly changes = new EventEmitter();
  private readonly backoff: ReconnectBackoff;

  constructor(
    readonly node: Node,
    private readonly job: Job,
    private readonly run: RunContext,
    private readonly ids: SignedAttemptIds,
    private readonly emit: (worker: NodeWorker, event: NodeEvent) => void,
  ) {
    const report = (event: NodeEvent) => emit(this, event);
    this.slotMonitor = new SlotMonitor(node, (command) => this.send(command), report);
    this.launcher = new AttemptLauncher(job, node, report);
    this.preparation = new Preparation(this.cleanup, (message) => this.warn(message));
    this.agentTracker = new AgentTracker(node.leaseSeconds);
    this.backoff = new ReconnectBackoff(node.graceSeconds);
  }

  /** Attaches for the first time; resolves when that has succeeded or failed. Further tries go on in the background. */
  async join(): Promise<void> {
    if (!(await this.attach()) && this.state !== "refused") void this.reconnect();
  }

  /** Attaches as soon as possible, also to a node that was refused: it was healed. */
  rejoin(): void {
    this.changes.emit("hurry");
    if (this.state !== "refused") return;
    this.setState("away", "it was healed");
    void this.reconnect();
  }

  /** Starts an attempt: at once where its files are staged already. Does nothing while the node is not attached. */
  start(attempt: Attempt): void {
    if (this.attachment !== undefined) this.launcher.start(this.attachment, attempt);
  }

  /** Sends a command to the agent, or drops it while the node is not attached. */
  send(command: AgentCommand): void {
    if (command.op === "withdraw" || command.op === "cancel") this.launcher.withdraw(command.ids);
    this.attachment?.send(command);
  }

  /** Whether nothing is to be expected of the node soon: it is away or refused, or none of its slots is usable. */
  get isHopeless(): boolean {
    if (this.isHealing || this.preparation.attachment !== undefined) return false;
    return this.state === "live" ? this.slotMonitor.isHopeless : isGone(this.state);
  }

  /** Where results are pulled from; undefined while the node is not attached. */
  get resultSource(): ResultSource | undefined {
    return this.attachment;
  }

  /** Reconnects because a request through `source` failed: it may be half-open. Does nothing if the node has been attached again since. */
  reportConnectionError(source: ResultSource, error: Error): void {
    const { attachment } = this;
    if (attachment === undefined || attachment !== source) return;
    this.handleDisconnect(attachment, error.message);
    const timeouts = this.backoff.recordError(error, monotonicSeconds());
    if (timeouts >= LOST_AFTER_TIMEOUTS && this.node.allocation === undefined)
      this.declareLost(`${timeouts} times in a row`);
  }

  /**
   * Stops the agent, which removes everything of the run. Waits for a silent node until its grace period ends, and shortly for one that is
   * away or whose agent is starting. Where none comes back, the agent removes everything itself when its lease ends. `keepLogs`: what still
   * runs is cancelled first, and its logs are kept.
   */
  async stop(keepLogs?: KeepLogs): Promise<void> {
    if (this.state === "ended") return;
    if (this.cleanup.mayHaveLeftovers && !this.isAttached && this.node.allocation === undefined) {
      if (this.state === "silent") this.warn(WAITING_FOR_SILENT_NODE);
      await awaitAttachment(this);
    }
    this.runOver.abort(new RunOverError(true));
    const attachment = this.openAttachment;
    if (attachment === undefined) {
      if (this.state === "connecting") this.reason = this.firstAnswer.describeAbsence();
      this.cleanup.markUnreached(this.reason);
      return this.agentTracker.lastAgent && this.warn(UNREACHED_AT_END);
    }
    if (keepLogs !== undefined && attachment === this.attachment)
      await attachment.endRunning(keepLogs, (message) => this.warn(message));
    await this.preparation.stopAgent(attachment);
    this.attachment = undefined;
  }

  /** Leaves the run for good, because the allocation that it was is over: its chunks go to others. */
  end(reason: string): void {
    if (this.state === "ended" || this.runOver.signal.aborted) return;
    this.runOver.abort(new RunOverError(false));
    this.openAttachment?.close();
    this.attachment = undefined;
    this.slotMonitor.stop();
    this.lose("ended", reason);
  }

  /** Closes the connection; the agent and its chunks continue. */
  async detach(): Promise<void> {
    this.runOver.abort(new RunOverError(false));
    await this.openAttachment?.detach();
    this.attachment = undefined;
  }

  /** Removes a node that broke the protocol, through `attachment`, from the run: it gets no more work, and its chunks are requeued. */
  refuseForViolation(reason: string, attachment = this.attachment): void {
    if (attachment === undefined || this.attachment !== attachment) return;
    this.attachment = undefined;
    attachment.close();
    if (!this.runOver.signal.aborted) this.handleAttachError(createProtocolError(this.node, reason));
  }

  get isAttached(): boolean {
    return this.openAttachment !== undefined;
  }

  private get openAttachment(): Attachment | undefined {
    return this.attachment ?? this.preparation.attachment;
  }

  /** Returns whether the node is attached, or need not be any more. */
  private async attach(): Promise<boolean> {
    const { node, run } = this;
    const { signal } = this.runOver;
    try {
      const attachment = await Attachment.attach(node, run, {
        previous: { bootId: this.agentTracker.lastAgent?.boot, cards: this.slotMonitor.cards },
        makeSlots: (facts) => {
          const capacity = selectNodeSlots(node, facts, this.job.needs);
          this.slots = capacity.slots;
          return capacity;
        },
        onAnswer: () => this.firstAnswer.recordAnswer(),
        onStarting: () => this.cleanup.markAgentStarting(),
        signal,
      });
      if (signal.aborted) return await leaveAtRunEnd(attachment, signal.reason);
      const prepared = this.preparation.prepare(attachment, signal);
      // Whoever ends the run can stop the agent now. A node that needs no preparation is live a moment later.
      setImmediate(() => this.changes.emit("change"));
      await prepared;
      if (signal.aborted) return true;
      this.handleAttached(attachment);
      // The scheduler has to know what the agent holds before the agent's further messages are handled.
      attachment.deliverMessages((message) => this.handleMessage(message));
      void attachment.agentEnded.then(({ kind, reason }) =>
        kind === "violation" ? this.refuseForViolation(reason, attachment) : this.handleDisconnect(attachment, reason),
      );
      return true;
    } catch (error) {
      if (signal.aborted && error instanceof MusterError) return true;
      this.handleAttachError(error);
      return false;
    }
  }

  private handleMessage(message: AgentMessage): void {
    this.agentTracker.recordMessage();
    if (message.ev === "bye") this.cleanup.recordBye(message);
    if (!("id" in message) && !this.rateLimiter.tryAcquire(monotonicSeconds()))
      return this.refuseForViolation(TOO_MANY_MESSAGES);
    routeMessage(message, this.slotMonitor, (event) => this.emit(this, event));
  }

  private handleAttached(attachment: Attachment): void {
    failpoint("attached");
    const change = this.agentTracker.recordAttachment(attachment.hello);
    this.backoff.recordAttached(monotonicSeconds(), change !== undefined);
    this.preparation.finish();
    this.attachment = attachment;
    this.fingerprint = attachment.fingerprint;
    this.setState("live", undefined);
    this.slotMonitor.start(this.slots);
    if (change !== undefined) this.warn(describeAgentChange(change));
    const held = claimHeldAttempts(attachment, this.ids);
    const { slots, deadline, node } = this;
    const joined = { node: node.name, slots, limit: attachment.limit, held, agentDied: change === "died", deadline };
    this.emit(this, { type: "nodeJoined", ...joined });
  }

  private handleAttachError(error: unknown): void {
    if (!(error instanceof MusterError)) throw error;
    this.error = error;
    const wasHere = this.slots.length > 0 || this.node.allocation !== undefined;
    const state = findStateAfterError(error.code, this.state, wasHere, this.preparation.hasBegun);
    const isLost = state === "refused" || (state === "away" && this.state === "connecting");
    this.setState(state, withoutNodeName(this.node, error));
    if (isLost) this.emit(this, { type: "nodeLost", node: this.node.name });
  }

  private handleDisconnect(attachment: Attachment, reason: string): void {
    if (this.attachment !== attachment) return;
    this.attachment = undefined;
    attachment.close();
    if (this.runOver.signal.aborted) return;
    this.backoff.recordLost(monotonicSeconds());
    this.setState("silent", [reason, this.backoff.reason].filter((text) => text !== undefined).join("; "));
    this.emit(this, { type: "nodeDisconnected", node: this.node.name });
    void this.reconnect();
  }

  /** Tries to attach until the node is attached or refused, or the run is over. */
  private async reconnect(): Promise<void> {
    const { graceSeconds } = this.node;
    const { pauseSeconds: firstPauseSeconds, graceLeftSeconds = graceSeconds } = this.backoff;
    const timers = [setTimeout(() => this.declareLost(`silent for ${graceSeconds} s`), graceSeconds * 1000)];
    if (graceLeftSeconds < graceSeconds)
      timers.push(setTimeout(() => this.state === "silent" && this.requeueChunks(), graceLeftSeconds * 1000));
    const attempt = async () => (await this.attach()) || this.state === "refused";
    const schedule = { firstPauseSeconds, changes: this.changes, signal: this.runOver.signal };
    await retryWithBackoff(attempt, schedule).finally(() => timers.forEach(clearTimeout));
  }

  private declareLost(why: string): void {
    if (this.state === "silent") this.lose("away", `${this.reason}; ${why}, its chunks go to others`);
  }

  /** Enters a state in which its chunks go to others. */
  private lose(state: NodeConnectionState, reason: string): void {
    this.setState(state, reason);
    this.emit(this, { type: "nodeLost", node: this.node.name });
  }

  /** Requeues the chunks of a node that reconnected only briefly during its grace period; the run still waits for the node. */
  private requeueChunks(): void {
    this.warn(UNSTABLE_CONNECTION);
    this.emit(this, { type: "nodeLost", node: this.node.name });
  }

  private warn(message: string): void {
    this.emit(this, { type: "warning", message });
  }

  private setState(state: NodeConnectionState, reason: string | undefined): void {
    const hasChanged = state !== this.state;
    this.state = state;
    this.reason = reason;
    if (!hasChanged) return;
    this.emit(this, { type: "stateChanged" });
    this.changes.emit("change");
  }
}
