import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Path, Reader } from "../job/reader.js";
import { seconds } from "../job/settings.js";

/** What happened that somebody wants to be told of. */
export type Occasion = "on_failure" | "on_success" | "on_drift";
export const OCCASIONS: Occasion[] = ["on_failure", "on_success", "on_drift"];

/** Who is told, and how. `timeout`: seconds that one try may take. */
export type Notice =
  | { kind: "command"; words: string[]; timeout: number }
  | { kind: "webhook"; address: Secret; token?: Secret; timeout: number };

/** A text, or where it is kept: it is read when it is needed, and shown nowhere. */
export type Secret =
  | { in: "pipeline"; text: string }
  | { in: "environment"; name: string }
  | { in: "file"; path: string };

const TIMEOUT = 10;

/** Who is told when. Problems are noted. */
export function readNotices(reader: Reader): Record<Occasion, Notice[]> {
  const read = (occasion: Occasion) => reader.items([occasion]).flatMap((path) => readNotice(reader, path) ?? []);
  return { on_failure: read("on_failure"), on_success: read("on_success"), on_drift: read("on_drift") };
}

function readNotice(reader: Reader, path: Path): Notice | undefined {
  const what = `${path[0]}[${path[1]}]`;
  const keys = ["command", "webhook", "webhook_env", "webhook_file"].filter((key) => reader.has([...path, key]));
  const tokens = ["token_env", "token_file"].filter((key) => reader.has([...path, key]));
  const timeout = seconds(reader, [...path, "timeout"]) ?? TIMEOUT;
  if (keys.length !== 1) {
    reader.fault(path, `${what} needs one of command, webhook, webhook_env and webhook_file`);
    return undefined;
  }
  if (tokens.length > (keys[0] === "command" ? 0 : 1))
    reader.fault(path, `${what} has ${keys[0] === "command" ? "a token, which only a webhook takes" : "two tokens"}`);
  if (keys[0] === "command") {
    const words = (reader.list([...path, "command"]) ?? []).map(({ text }) => text);
    return { kind: "command", words, timeout };
  }
  const address = readSecret(reader, path, "webhook");
  return address && { kind: "webhook", address, token: readSecret(reader, path, "token"), timeout };
}

function readSecret(reader: Reader, path: Path, key: string): Secret | undefined {
  const [text, name, file] = [key, `${key}_env`, `${key}_file`].map((one) => reader.text([...path, one]));
  if (name !== undefined) return { in: "environment", name };
  if (file !== undefined)
    return { in: "file", path: file.startsWith("~/") ? join(homedir(), file.slice(2)) : resolve(reader.folder, file) };
  return text === undefined ? undefined : { in: "pipeline", text };
}
