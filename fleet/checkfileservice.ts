import type { Connection } from "./connection.js";
import { ConnectionError } from "./connectionerror.js";

/** How long the question for the login shell may take. */
const SHELL_TIMEOUT_SECONDS = 10;

/** The files that a shell reads where sshd starts it for a program or for SFTP. */
const STARTUP_FILES: Record<string, string> = {
  bash: "~/.bashrc",
  zsh: "~/.zshenv",
  csh: "~/.cshrc",
  tcsh: "~/.tcshrc or ~/.cshrc",
  fish: "~/.config/fish/config.fish",
};

/**
 * Opens the file service (SFTP) of a node as a run does. Rejects with a ConnectionError (SHELL) where the server refuses it, with what
 * the login shell was seen to print, which breaks SFTP, and the file to look at. Other failures, which may pass, are left to the run.
 */
export async function checkFileService(connection: Connection): Promise<void> {
  try {
    await connection.files();
  } catch (error) {
    if (!(error instanceof ConnectionError) || error.code !== "SHELL") return;
    throw await explainShell(connection, error);
  }
}

async function explainShell(connection: Connection, error: ConnectionError): Promise<ConnectionError> {
  const { stdout } = await connection.exec(["/bin/sh", "-c", 'echo "$SHELL"'], { timeout: SHELL_TIMEOUT_SECONDS });
  const printed = connection.shellOutput ?? "";
  if (printed === "") return error;
  const shell = /^\S+$/m.exec(stdout)?.[0] ?? "its login shell";
  const file = STARTUP_FILES[shell.slice(shell.lastIndexOf("/") + 1)] ?? "its start-up files";
  const next = `print only in interactive shells: correct ${file} on the node, or set \`Subsystem sftp internal-sftp\` in its sshd_config`;
  const detail = `${error.detail}; the login shell ${shell} prints before each program: ${printed}`;
  return new ConnectionError("SHELL", { node: error.node, step: error.step }, detail, { next, cause: error });
}
