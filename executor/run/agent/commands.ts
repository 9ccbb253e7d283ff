import type { Instruction } from "../../schedule/events.js";
import type { AgentCommand } from "./protocol.js";

/** What an agent is told of attempts that it has, as the protocol says it. */
export function toCommand(instruction: Extract<Instruction, { do: "withdraw" | "evict" | "split" }>): AgentCommand {
  switch (instruction.do) {
    case "withdraw":
      return { op: "withdraw", ids: [...instruction.ids] };
    case "evict":
      return { op: "cancel", ids: [...instruction.ids] };
    case "split":
      return { op: "split", id: instruction.id, share: instruction.share };
  }
}
