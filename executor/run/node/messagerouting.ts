import type { AgentMessage } from "../agent/protocol.js";
import type { NodeEvent } from "./nodeevent.js";
import type { SlotMonitor } from "./slotmonitor.js";

/** Passes a message of an agent to the monitor of its node's slots, or emits it; messages of the handshake and of staging need neither. */
export function routeMessage(message: AgentMessage, slotMonitor: SlotMonitor, emit: (event: NodeEvent) => void): void {
  switch (message.ev) {
    case "started":
    case "preempted":
    case "split":
    case "saved":
    case "values":
    case "idle":
    case "done":
      return emit({ type: "attemptMessage", message });
    case "slot":
    case "broken":
    case "looked":
    case "cards":
    case "memory":
      return slotMonitor.handleMessage(message);
    case "program":
      return emit({ type: "programSeen", path: message.path, sha256: message.sha256 });
    case "progress":
      return emit({ type: "progress", message });
    case "problem":
      return emit({ type: "warning", message: message.message });
    case "tree":
    case "built":
    case "taken":
    case "found":
    case "unpacked":
    case "lacks":
    case "hello":
    case "held":
    case "refused":
    case "bye":
    case "pong":
      return;
    default:
      return message satisfies never;
  }
}
