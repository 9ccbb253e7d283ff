import type { Attempt, Event } from "../../schedule/events.js";
import type { AgentMessage, ProgressMessage } from "../agent/protocol.js";
import type { ResultSource } from "./attachment.js";
import type { SlotEvent } from "./slotmonitor.js";

/** A message of an agent about one attempt. */
export type AttemptMessage = Extract<
  AgentMessage,
  { ev: "started" | "preempted" | "split" | "saved" | "values" | "idle" | "done" }
>;

/** What the worker of a node reports to the coordinator. */
export type NodeEvent =
  /** The worker's connection state has changed. */
  | { type: "stateChanged" }
  /** Something that a person should know. */
  | { type: "warning"; message: string }
  /** The file of a program in the job's directory has this SHA-256 on the node. */
  | { type: "programSeen"; path: string; sha256: string }
  /** The message is well formed; whether the attempt is one of this node's has not been checked. */
  | { type: "attemptMessage"; message: AttemptMessage }
  /** How far attempts are; whether they are this node's has not been checked. */
  | { type: "progress"; message: ProgressMessage }
  /** The files of `attempt` could not be brought to the node through `source`. */
  | { type: "stagingFailed"; attempt: Attempt; source: ResultSource; error: unknown }
  /** A chunk must not run on the node, whatever the attempt. */
  | { type: "startRefused"; attempt: Attempt; reason: string }
  | Extract<Event, { type: "nodeJoined" | "nodeDisconnected" | "nodeLost" | "requeued" }>
  | SlotEvent;
