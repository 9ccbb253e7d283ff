import { MusterError } from "../../../schemas/errors.js";

/** Why attaching to a node is abandoned. `stopsAgent`: an agent that is starting at that moment is told to stop. */
export class RunOverError extends MusterError {
  constructor(readonly stopsAgent: boolean) {
    super("ABANDONED", "the run is over");
  }
}

/** Leaves a node that was attached at the very moment at which the run ended. Returns true. */
export async function leaveAtRunEnd(
  attachment: { send(command: { op: "stop" }): void; detach(): Promise<void> },
  { stopsAgent }: RunOverError,
): Promise<true> {
  if (stopsAgent) attachment.send({ op: "stop" });
  await attachment.detach();
  return true;
}
