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
import { clock } from "../alarm.js";
import type { RunContext } from "../context.js";
import { killPoint } from "../killpoint.js";
import type { Origin } from "../results/pull.js";
import { AgentTracker, changeText } from "./agenttracker.js";
import { reasonOf } from "./failure.js";
import { protocolError } from "./handshake.js";
import { pause } from "./pause.js";
import { ReconnectBackoff } from "./reconnect.js";
import { isBarred, mayComeBack } from "./refusal.js";
import { Remains } from "./remains.js";
import { Session } from "./session.js";

const REDIAL_LIMIT = 60; // longest pause between two tries to reach a node, seconds
/** How long a node that is away is given to come back at the end of the run, seconds. */
const LAST_TRY = 10;
const TIMEOUTS = 2; // so many of late mark a node that can be reached as lost
/** What is said of one that is silent then, and of one that did not come back. */
const AWAITED = "it is silent at the end of the run, and waited for, so that nothing stays there";
const LEFT = "it could not be reached at the end: what is there goes when the agent's lease ends";
/** And of one whose grace period ends though it was back in between. */
const UNSTABLE = "its connection keeps failing, its chunks go to others";

export type MemberState = "connecting" | "live" | "silent" | "away" | "refused";

/** What a member tells the coordinator. */
export interface Hub {
  event(event: Event): void;
  message(member: Member, message: AgentMessage): void;
  /** Its state has changed. */
  changed(member: Member): void;
  /** `attempt` cannot be started on its node, to which `origin` was the way. */
  unstartable(attempt: Attempt, error: unknown, origin: Origin): void;
}

/** A node in a run, through all its attachments: it joins, falls silent, comes back or is given up, and comes back still. */
export class Member {
  state: MemberState = "connecting";
  /** Why it is not live. */
  reason: string | undefined;
  /** The error behind `reason`, of a node that could not be used. */
  error: MusterError | undefined;
  slots: Slot[] = [];
  /** Slots whose next chunk waits for the node's memory. */
  short = 0;
  /** Of the state that it was verified to be in; undefined where the job needs no playbooks. */
  fingerprint: string | undefined;
  /** PCI addresses of its GPUs by index, once a look has told them. */
  cards: string[] = [];
  /** For what it says unasked, through all its attachments. */
  readonly budget = new MessageRateLimiter();
  readonly remains = new Remains();
  private readonly agent: AgentTracker;
  private session: Session | undefined;
  private readonly over = new AbortController();
  private readonly changes = new EventEmitter();
  private readonly backoff: ReconnectBackoff;

  constructor(
    readonly node: Node,
    private readonly job: Job,
    private readonly run: RunContext,
    private readonly ids: SignedAttemptIds,
    private readonly hub: Hub,
  ) {
    this.agent = new AgentTracker(node.lease);
    this.backoff = new ReconnectBackoff(node.grace);
  }

  /** The first try; resolves when it has joined or failed. A node that may come back is tried again in the background. */
  async join(): Promise<void> {
    if (!(await this.attach()) && this.state === "away") void this.redial();
  }

  /** Starts an attempt here: at once where its files are staged already. */
  start(attempt: Attempt): void {
    const { session } = this;
    if (session === undefined) return;
    const staging = session.stageFor(attempt.chunk.spec);
    if (staging === undefined) return this.sendStart(session, attempt);
    staging.then(
      () => this.sendStart(session, attempt),
      (error) => this.hub.unstartable(attempt, error, session),
    );
  }

  send(message: AgentCommand): void {
    this.session?.send(message);
  }

  /** Whether the node can be reached, though it gets no work. */
  get isReachable(): boolean {
    return this.state === "refused" && !isBarred(this.error?.code ?? "");
  }

  /** Where results lie; undefined while the node is silent. */
  get origin(): Origin | undefined {
    return this.session;
  }

  /** The way `origin` to this node failed, though it may still stand (half-open, or a file server that hangs): find a new one. */
  suspect(origin: Origin, error: Error): void {
    const { session } = this;
    if (session === undefined || session !== origin) return;
    this.lost(session, error.message);
    if (!(error instanceof MusterError) || error.code !== "TIMEOUT") return;
    const timeouts = this.backoff.timedOut(clock());
    if (timeouts >= TIMEOUTS) this.giveAway(`${timeouts} times in a row`);
  }

  /**
   * Ends the agent and removes what is on the node. A node that has fallen silent is waited for as long as for its chunks, one
   * that is away is tried once more; then all that is left to the agent's lease, and said.
   */
  async stop(): Promise<void> {
    if (this.remains.areLikely && this.session === undefined) await this.back();
    this.over.abort();
    const { session } = this;
    if (session === undefined) {
      this.remains.stay(this.reason);
      if (this.agent.hello !== undefined) this.hub.message(this, { ev: "problem", message: LEFT });
      return;
    }
    this.remains.agentIsToStop();
    session.send({ op: "stop" });
    await session.bye(this.node.grace);
    this.session = undefined;
  }

  /** Lets go of the node; what runs there goes on. */
  async leave(): Promise<void> {
    this.over.abort();
    await this.session?.detach();
    this.session = undefined;
  }

  /** Resolves when it is back, or not to be waited for any longer. */
  private async back(): Promise<void> {
    if (this.state === "silent") this.hub.message(this, { ev: "problem", message: AWAITED });
    this.changes.emit("hurry");
    while (this.state === "silent") await once(this.changes, "change");
    if (this.state !== "away" && this.state !== "connecting") return;
    const signal = AbortSignal.timeout(LAST_TRY * 1000);
    await once(this.changes, "change", { signal }).catch(() => {});
  }

  private sendStart(session: Session, attempt: Attempt): void {
    const { id, chunk, slot } = attempt;
    const place = this.slots.find((one) => one.slot === slot);
    const values = { gpu: `${place?.gpu ?? slot}`, out: `${session.root}/a/${id}/work` };
    const args = chunk.spec.args.map((template) => renderTemplate(template, values));
    session.send({ op: "start", id, chunk: chunk.id, slot, spec: session.specFor(this.job, chunk.spec), args });
  }

  private async attach(): Promise<boolean> {
    try {
      // What the agent sends again right after its hello must not be met before the scheduler knows what it holds.
      const early: AgentMessage[] = [];
      let joined = false;
      const receive = (message: AgentMessage) => (joined ? this.receive(message) : early.push(message));
      const known = { boot: this.agent.hello?.boot, cards: this.cards };
      const starting = () => {
        if (this.over.signal.aborted) throw new MusterError("LOST", 69, "the run is over");
        this.remains.agentStarts();
      };
      const slots = (facts: Facts | undefined) => this.makeSlots(facts);
      const session = await Session.attach(this.node, this.run, known, slots, starting, receive);
      if (this.over.signal.aborted) {
        await session.detach();
        return true;
      }
      this.joined(session);
      joined = true;
      for (const message of early) this.receive(message);
      void session.gone.then(({ kind, reason }) =>
        kind === "violation" ? this.refuse(session, reason) : this.lost(session, reason),
      );
      return true;
    } catch (error) {
      this.failed(error);
      return false;
    }
  }

  private receive(message: AgentMessage): void {
    this.agent.heard();
    if (message.ev === "bye") this.remains.agentSays(message);
    this.hub.message(this, message);
  }

  private joined(session: Session): void {
    killPoint("attached");
    const { hello } = session;
    const change = this.agent.attached(hello);
    this.backoff.attached(clock(), change !== undefined);
    this.session = session;
    this.fingerprint = session.fingerprint;
    this.become("live", undefined);
    if (change !== undefined) this.hub.message(this, { ev: "problem", message: changeText(change) });
    const { node, slots } = this;
    const limit = node.maxConcurrent ?? slots.length;
    const { genuine, strangers } = this.ids.partition(hello.held, node.name);
    if (strangers.length > 0) session.send({ op: "cancel", ids: strangers.map(({ id }) => id) });
    const held = genuine.map(decodeHeldAttempt);
    this.hub.event({ type: "nodeJoined", node: node.name, slots, limit, held, agentDied: change === "died" });
  }

  private makeSlots(facts: Facts | undefined): Slot[] {
    const gpus = facts?.gpus.filter((gpu) => gpu.vendor === this.node.profile.vendor).length ?? 0;
    const machine = { cores: facts?.cores ?? 0, gpus, memory: facts?.memory.total };
    const slots = selectSlots(this.node, machine, this.job.needs);
    if (typeof slots === "string") throw new MusterError("NO_SLOTS", 69, slots);
    this.slots = slots;
    return slots;
  }

  private failed(error: unknown): void {
    if (!(error instanceof MusterError)) throw error;
    this.error = error;
    const comesBack = mayComeBack(error.code, this.slots.length > 0);
    this.become(comesBack ? (this.state === "silent" ? "silent" : "away") : "refused", reasonOf(this.node, error));
    if (this.state === "refused") this.hub.event({ type: "nodeLost", node: this.node.name });
  }

  private lost(session: Session, reason: string): void {
    if (this.session !== session) return;
    this.session = undefined;
    session.abandon();
    if (this.over.signal.aborted) return;
    this.backoff.lost(clock());
    this.become("silent", [reason, this.backoff.reason].filter((text) => text !== undefined).join("; "));
    this.hub.event({ type: "nodeDisconnected", node: this.node.name });
    void this.redial();
  }

  /** What the node says cannot be relied on: it gets no more work, and what it holds goes to others. */
  misbehaved(reason: string): void {
    if (this.session !== undefined) this.refuse(this.session, reason);
  }

  private refuse(session: Session, reason: string): void {
    if (this.session !== session) return;
    this.session = undefined;
    session.abandon();
    if (!this.over.signal.aborted) this.failed(protocolError(this.node, reason));
  }

  /** Tries again with growing pauses until it is back, refused, or the run is over; gives its chunks away after `grace`. */
  private async redial(): Promise<void> {
    const { signal } = this.over;
    const { grace } = this.node;
    const { pauseSeconds, graceLeftSeconds = grace } = this.backoff;
    const timers = [setTimeout(() => this.giveAway(`silent for ${grace} s`), grace * 1000)];
    if (graceLeftSeconds < grace) timers.push(setTimeout(() => this.giveChunksAway(), graceLeftSeconds * 1000));
    try {
      for (let seconds = pauseSeconds; !signal.aborted; seconds = Math.min(seconds * 2, REDIAL_LIMIT)) {
        await pause(seconds, this.changes, signal);
        if ((await this.attach()) || this.state === "refused") return;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      for (const timer of timers) clearTimeout(timer);
    }
  }

  private giveAway(why: string): void {
    if (this.state !== "silent") return;
    this.become("away", `${this.reason}; ${why}, its chunks go to others`);
    this.hub.event({ type: "nodeLost", node: this.node.name });
  }

  /** It was back for moments only since its grace period began: its chunks do not wait for it any longer, but the run does. */
  private giveChunksAway(): void {
    if (this.state !== "silent") return;
    this.hub.message(this, { ev: "problem", message: UNSTABLE });
    this.hub.event({ type: "nodeLost", node: this.node.name });
  }

  private become(state: MemberState, reason: string | undefined): void {
    const news = state !== this.state;
    this.state = state;
    this.reason = reason;
    if (!news) return;
    this.hub.changed(this);
    this.changes.emit("change");
  }
}
