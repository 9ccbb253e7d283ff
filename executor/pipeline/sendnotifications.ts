import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import pRetry, { AbortError } from "p-retry";
import { killGroup } from "../../fleet/killgroup.js";
import type { NotificationTarget, SecretSource } from "../../fleet/notificationtarget.js";
import { MusterError } from "../../schemas/errors.js";
import { formatJson } from "../../schemas/escape.js";
import type { NotificationEvent } from "./notificationconfig.js";
import type { PipelineSummary } from "./pipelinesummary.js";

/** The delay doubles with each retry of a webhook. */
const WEBHOOK_ATTEMPTS = 3;
const FIRST_RETRY_DELAY_MS = 500;

/** Returns the events of a finished run: `on_failure` unless its exit status is 0, and `on_drift` in addition where it found drift. Pure. */
export function selectNotificationEvents({ steps }: Pick<PipelineSummary, "steps">, exit: number): NotificationEvent[] {
  if (exit === 0) return ["on_success"];
  return steps.some(({ state }) => state === "drift") ? ["on_failure", "on_drift"] : ["on_failure"];
}

/**
 * Sends `document` as JSON to all targets at once. Resolves with a line for each that failed, without secrets: a notification that is
 * not delivered does not change the outcome of the run. Commands run in `folder`.
 */
export async function sendNotifications(
  targets: NotificationTarget[],
  document: object,
  folder: string,
): Promise<string[]> {
  const text = `${formatJson(document)}\n`;
  const deliveries = await Promise.allSettled(
    targets.map((target) =>
      target.kind === "command" ? pipeToCommand(target, text, folder) : postWithRetries(target, text),
    ),
  );
  return deliveries.flatMap((delivery, index) => {
    if (delivery.status === "fulfilled") return [];
    return [`notification ${describeTarget(targets[index]!)} was not delivered: ${(delivery.reason as Error).message}`];
  });
}

function describeTarget(target: NotificationTarget): string {
  if (target.kind === "command") return target.argv[0] ?? "";
  const { address } = target;
  if (address.in === "environment") return `to the webhook in $${address.name}`;
  if (address.in === "file") return `to the webhook in ${address.path}`;
  return URL.canParse(address.text) ? `to ${new URL(address.text).host}` : "to the webhook";
}

/** Returns a secret. Throws SECRET (65), without its text, where it is missing. */
function resolveSecret(secret: SecretSource): string {
  if (secret.in === "config") return secret.text;
  if (secret.in === "environment") {
    const value = process.env[secret.name];
    if (value) return value;
    throw new MusterError("SECRET", `the environment variable ${secret.name} is not set`);
  }
  try {
    return readFileSync(secret.path, "utf8").trim();
  } catch (error) {
    throw new MusterError("SECRET", `cannot read ${secret.path} (${(error as NodeJS.ErrnoException).code})`);
  }
}

async function postWithRetries(
  { address, token, timeoutSeconds: timeout }: Extract<NotificationTarget, { kind: "webhook" }>,
  body: string,
): Promise<void> {
  const url = resolveSecret(address);
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) throw new Error("its URL is neither http nor https");
  const secret = token === undefined ? undefined : resolveSecret(token);
  const headers = {
    "content-type": "application/json",
    ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
  };
  await pRetry(() => postOnce(url, headers, body, timeout), {
    retries: WEBHOOK_ATTEMPTS - 1,
    minTimeout: FIRST_RETRY_DELAY_MS,
  });
}

async function postOnce(url: string, headers: Record<string, string>, body: string, timeout: number): Promise<void> {
  let response: Response;
  try {
    // A redirect would send the token to another server.
    response = await fetch(url, {
      method: "POST",
      headers,
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(timeout * 1000),
    });
  } catch (error) {
    const { name, message, cause } = error as Error & { cause?: { code?: string; message?: string } };
    throw new Error(
      name === "TimeoutError" ? `no response within ${timeout} s` : (cause?.code ?? cause?.message ?? message),
    );
  }
  await response.body?.cancel();
  if (response.ok) return;
  if (response.status >= 300 && response.status < 400) throw new AbortError(new Error(describeRedirect(response, url)));
  const refused = new Error(`the server responded with ${response.status}`);
  if (response.status < 500 && response.status !== 429 && response.status !== 408) throw new AbortError(refused);
  throw refused;
}

/** Names only the host that a redirect leads to: the rest of its address may be a secret. */
function describeRedirect({ status, headers }: Response, url: string): string {
  const location = headers.get("location") ?? "";
  const host = URL.canParse(location, url) ? new URL(location, url).origin : "no address";
  return `the server redirects to ${host} (${status}); write the final URL, because nothing is sent on to another server`;
}

function pipeToCommand(
  { argv: words, timeoutSeconds: timeout }: Extract<NotificationTarget, { kind: "command" }>,
  text: string,
  cwd: string,
): Promise<void> {
  const [program = "", ...args] = words;
  const child = spawn(program, args, { cwd, detached: true, stdio: ["pipe", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (bytes) => {
    stderr = `${stderr}${bytes}`.slice(-500);
  });
  // A command that does not read its stdin has not failed.
  child.stdin.on("error", () => {});
  child.stdin.end(text);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      killGroup(child.pid, "SIGKILL");
      reject(new Error(`it ran longer than ${timeout} s`));
    }, timeout * 1000);
    child.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(new Error(error.code === "ENOENT" ? "program not found" : error.message));
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      if (code === 0) resolve();
      else reject(new Error(`exit ${code}${stderr.trim() === "" ? "" : `: ${stderr.trim()}`}`));
    });
  });
}
