import { MusterError } from "../../schemas/errors.js";
import type { Connection } from "../connection.js";
import { runAsRoot } from "../runasroot.js";

const REBOOT_TIMEOUT_SECONDS = 30;

/** Reboots a node. That the connection is lost meanwhile is no failure, and one that hangs shows in the wait for the node. */
export async function reboot(connection: Connection): Promise<void> {
  const outcome = await connection.exec(runAsRoot(["systemctl", "reboot"]), { timeout: REBOOT_TIMEOUT_SECONDS });
  if (outcome.kind !== "exit" || outcome.code === 0) return;
  const message = outcome.stderr.trim().split("\n").at(-1)?.slice(0, 200) ?? "";
  throw new MusterError("COMMAND", `systemctl reboot failed (exit ${outcome.code}): ${message}`);
}
