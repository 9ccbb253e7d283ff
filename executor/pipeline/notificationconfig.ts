import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { readSeconds } from "../job/jobsettings.js";
import type { JobReader, KeyPath } from "../job/reader.js";

/** An event that a pipeline can send notifications about. */
export type NotificationEvent = "on_failure" | "on_success" | "on_drift";

/** A receiver of notifications. `timeoutSeconds` limits one attempt. */
export type NotificationTarget =
  | { kind: "command"; argv: string[]; timeoutSeconds: number }
  | { kind: "webhook"; address: SecretSource; token?: SecretSource; timeoutSeconds: number };

/** A secret, or where it is stored. It is read when it is needed and never printed. */
export type SecretSource =
  | { in: "pipeline"; text: string }
  | { in: "environment"; name: string }
  | { in: "file"; path: string };

const DEFAULT_TIMEOUT_SECONDS = 10;

/** Reads the notification targets of each event. Problems are reported to `reader`. */
export function readNotifications(reader: JobReader): Record<NotificationEvent, NotificationTarget[]> {
  const read = (occasion: NotificationEvent) =>
    reader.items([occasion]).flatMap((path) => readTarget(reader, path) ?? []);
  return { on_failure: read("on_failure"), on_success: read("on_success"), on_drift: read("on_drift") };
}

function readTarget(reader: JobReader, path: KeyPath): NotificationTarget | undefined {
  const what = `${path[0]}[${path[1]}]`;
  const keys = ["command", "webhook", "webhook_env", "webhook_file"].filter((key) => reader.has([...path, key]));
  const tokens = ["token_env", "token_file"].filter((key) => reader.has([...path, key]));
  const timeout = readSeconds(reader, [...path, "timeout"]) ?? DEFAULT_TIMEOUT_SECONDS;
  if (keys.length !== 1) {
    reader.reportAt(path, `${what} needs one of command, webhook, webhook_env and webhook_file`);
    return undefined;
  }
  if (tokens.length > (keys[0] === "command" ? 0 : 1))
    reader.reportAt(
      path,
      `${what} has ${keys[0] === "command" ? "a token, which only a webhook takes" : "two tokens"}`,
    );
  if (keys[0] === "command") {
    const words = (reader.list([...path, "command"]) ?? []).map(({ text }) => text);
    return { kind: "command", argv: words, timeoutSeconds: timeout };
  }
  const address = readSecretSource(reader, path, "webhook");
  return (
    address && { kind: "webhook", address, token: readSecretSource(reader, path, "token"), timeoutSeconds: timeout }
  );
}

function readSecretSource(reader: JobReader, path: KeyPath, key: string): SecretSource | undefined {
  const [text, name, file] = [key, `${key}_env`, `${key}_file`].map((one) => reader.text([...path, one]));
  if (name !== undefined) return { in: "environment", name };
  if (file !== undefined)
    return { in: "file", path: file.startsWith("~/") ? join(homedir(), file.slice(2)) : resolve(reader.folder, file) };
  return text === undefined ? undefined : { in: "pipeline", text };
}
