import { setTimeout as sleep } from "node:timers/promises";
import type { Dialer } from "../../../fleet/connect.js";
import type { Connection } from "../../../fleet/connection.js";
import type { Node } from "../../../fleet/node.js";
import { MusterError } from "../../../schemas/errors.js";
import type { NodeProgram } from "../../../templates/nodeprograms.js";
import { runFolderOn } from "../runcontext.js";
import type { FollowMessage } from "./followmessages.js";
import { followNode, type NodeLogSelection } from "./nodefollower.js";

/** Until a node is dialled again that could not be reached, or that was lost. */
const RETRY_MS = 3000;

/** What following a node takes. `handle`: see `followNode`. */
export interface NodeFollowing {
  dialer: Dialer;
  agent: NodeProgram;
  runId: string;
  selection: Omit<NodeLogSelection, "resume">;
  handle(message: FollowMessage): Promise<void>;
  /** Called when no more comes from the node, once for each reason. Returns whether to try again. */
  onLost(reason: string): Promise<boolean>;
  signal: AbortSignal;
}

/** Follows the logs of one node over one connection after another, and continues where the last one broke. */
export class FollowedNode {
  /** Whether the node has been heard since it was dialled last. */
  isFollowing = false;
  /** Whether it has answered that it follows nothing now. */
  isIdle = false;
  /** Whether it is not tried again. */
  hasFailed = false;
  /** Of the attempts that it follows now. */
  private offsets: NodeLogSelection["resume"] = {};
  /** Resolves when the node is not followed any more. */
  readonly ended: Promise<void>;

  constructor(
    private readonly node: Node,
    private readonly following: NodeFollowing,
  ) {
    this.ended = this.run();
  }

  private async run(): Promise<void> {
    const { onLost, signal } = this.following;
    let lastReason: string | undefined;
    while (!signal.aborted) {
      const reason = await this.followOnce();
      const wasHeard = this.isFollowing;
      this.isFollowing = this.isIdle = false;
      if (signal.aborted) return;
      // A node that answered in between is lost again.
      const isNew = wasHeard || reason !== lastReason;
      lastReason = reason;
      if (!(await onLost(isNew ? reason : ""))) {
        this.hasFailed = true;
        return;
      }
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
    }
  }

  /** Returns why no more comes. */
  private async followOnce(): Promise<string> {
    const { dialer, agent, runId, selection, signal } = this.following;
    let connection: Connection | undefined;
    const close = () => void connection?.close();
    signal.addEventListener("abort", close);
    try {
      connection = await dialer.connect(this.node, { signal });
      const root = runFolderOn(runId, this.node);
      return await followNode(connection, agent, root, { ...selection, resume: this.offsets }, (message) =>
        this.handle(message),
      );
    } catch (error) {
      if (error instanceof MusterError) return error.textFor(this.node.name);
      throw error;
    } finally {
      signal.removeEventListener("abort", close);
      await connection?.close();
    }
  }

  private async handle(message: FollowMessage): Promise<void> {
    this.isFollowing = true;
    if (message.ev === "following") {
      this.isIdle = message.ids.length === 0;
      this.offsets = Object.fromEntries(message.ids.map((id) => [id, this.offsets[id] ?? {}]));
    } else if (message.ev === "log" && message.id in this.offsets)
      this.offsets[message.id] = { ...this.offsets[message.id], [message.stream]: message.next };
    await this.following.handle(message);
  }
}
