import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** A receiver of notifications. `timeoutSeconds` limits one attempt. */
export type NotificationTarget =
  | { kind: "command"; argv: string[]; timeoutSeconds: number }
  | { kind: "webhook"; address: SecretSource; token?: SecretSource; timeoutSeconds: number };

/** A secret, or where it is stored. It is read when it is needed and never printed. */
export type SecretSource =
  | { in: "config"; text: string }
  | { in: "environment"; name: string }
  | { in: "file"; path: string };

/** The keys of a target as a file writes them. */
export interface WrittenTarget {
  command?: string[];
  webhook?: string;
  webhook_env?: string;
  webhook_file?: string;
  token_env?: string;
  token_file?: string;
  timeoutSeconds?: number;
}

const DEFAULT_TIMEOUT_SECONDS = 10;

/**
 * Reads one target; relative paths start in `folder`. Reports what is wrong, as the end of a sentence that begins with the target; undefined
 * where it has no receiver, or several.
 */
export function readNotificationTarget(
  written: WrittenTarget,
  folder: string,
  report: (problem: string) => void,
): NotificationTarget | undefined {
  const keys = (["command", "webhook", "webhook_env", "webhook_file"] as const).filter(
    (key) => written[key] !== undefined,
  );
  const tokens = (["token_env", "token_file"] as const).filter((key) => written[key] !== undefined);
  const timeoutSeconds = written.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS;
  if (keys.length !== 1) {
    report("needs one of command, webhook, webhook_env and webhook_file");
    return undefined;
  }
  if (tokens.length > (keys[0] === "command" ? 0 : 1))
    report(`has ${keys[0] === "command" ? "a token, which only a webhook takes" : "two tokens"}`);
  if (written.command !== undefined) return { kind: "command", argv: written.command, timeoutSeconds };
  const address = locateSecret(folder, written.webhook_env, written.webhook_file, written.webhook);
  const token = locateSecret(folder, written.token_env, written.token_file);
  return address && { kind: "webhook", address, token, timeoutSeconds };
}

function locateSecret(folder: string, name?: string, file?: string, text?: string): SecretSource | undefined {
  if (name !== undefined) return { in: "environment", name };
  if (file !== undefined) return { in: "file", path: resolveHomePath(folder, file) };
  return text === undefined ? undefined : { in: "config", text };
}

/** Resolves a local path: `~/` begins in the home folder, and relative paths start in `folder`. */
export function resolveHomePath(folder: string, path: string): string {
  return path.startsWith("~/") ? join(homedir(), path.slice(2)) : resolve(folder, path);
}
