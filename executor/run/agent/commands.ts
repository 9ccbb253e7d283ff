import type { Instruction } from "../../schedule/events.js";
import type { AgentCommand } from "./protocol.js";

/** The command that carries out an instruction about attempts that an agent has. */
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
