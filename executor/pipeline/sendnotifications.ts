import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import pRetry, { AbortError } from "p-retry";
import { MusterError } from "../../schemas/errors.js";
import { formatJson } from "../../schemas/escape.js";
import type { NotificationEvent, NotificationTarget, SecretSource } from "./notificationconfig.js";
import type { PipelineSummary } from "./pipelinesummary.js";
import { hasResults } from "./stepstate.js";

/** Tries of a webhook, and the pause before the second one, milliseconds; it doubles. */
const WEBHOOK_ATTEMPTS = 3;
const FIRST_RETRY_DELAY_MS = 500;

/** What a run that has ended is an occasion for. Pure. An interrupted one is none: somebody ended it. */
export function selectNotificationEvents({ state, steps }: PipelineSummary): NotificationEvent[] {
  if (state === "complete") return ["on_success"];
  if (state === "interrupted") return [];
  const wrong = steps.filter((step) => !hasResults(step.state) && !["left out", "blocked"].includes(step.state));
  const drift = wrong.some((step) => step.state === "drift");
  const failed = wrong.some((step) => step.state !== "drift");
  return [...(drift ? (["on_drift"] as const) : []), ...(failed ? (["on_failure"] as const) : [])];
}

/**
 * Tells everybody, each as JSON. Resolves with what went wrong, a line each, in which no secret stands: a notice that does not
 * get through changes nothing about the run. `folder`: where commands run.
 */
export async function sendNotifications(
  notices: NotificationTarget[],
  document: object,
  folder: string,
): Promise<string[]> {
  const text = `${formatJson(document)}\n`;
  const told = await Promise.allSettled(
    notices.map((notice) =>
      notice.kind === "command" ? pipeToCommand(notice, text, folder) : postWithRetries(notice, text),
    ),
  );
  return told.flatMap((one, index) => {
    if (one.status === "fulfilled") return [];
    return [`notice ${describeTarget(notices[index]!)} did not get through: ${(one.reason as Error).message}`];
  });
}

function describeTarget(notice: NotificationTarget): string {
  if (notice.kind === "command") return notice.argv[0] ?? "";
  const { address } = notice;
  if (address.in === "environment") return `to the webhook in $${address.name}`;
  if (address.in === "file") return `to the webhook in ${address.path}`;
  return URL.canParse(address.text) ? `to ${new URL(address.text).host}` : "to the webhook in the pipeline";
}

/** The text of a secret; an error that does not show it. */
function resolveSecret(secret: SecretSource): string {
  if (secret.in === "pipeline") return secret.text;
  if (secret.in === "environment") {
    const value = process.env[secret.name];
    if (value) return value;
    throw new MusterError("SECRET", 65, `the environment variable ${secret.name} is not set`);
  }
  try {
    return readFileSync(secret.path, "utf8").trim();
  } catch (error) {
    throw new MusterError("SECRET", 65, `${secret.path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

async function postWithRetries(
  { address, token, timeoutSeconds: timeout }: Extract<NotificationTarget, { kind: "webhook" }>,
  body: string,
): Promise<void> {
  const url = resolveSecret(address);
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) throw new Error("its address is not one of http or https");
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
    // A redirect would carry the token to somebody else.
    response = await fetch(url, {
      method: "POST",
      headers,
      body,
      redirect: "error",
      signal: AbortSignal.timeout(timeout * 1000),
    });
  } catch (error) {
    const cause = (error as { cause?: { code?: string } }).cause?.code;
    throw new Error(
      (error as Error).name === "TimeoutError" ? `no answer within ${timeout} s` : (cause ?? "no connection"),
    );
  }
  await response.body?.cancel();
  if (response.ok) return;
  const refused = new Error(`the server answers ${response.status}`);
  if (response.status < 500 && response.status !== 429 && response.status !== 408) throw new AbortError(refused);
  throw refused;
}

function pipeToCommand(
  { argv: words, timeoutSeconds: timeout }: Extract<NotificationTarget, { kind: "command" }>,
  text: string,
  cwd: string,
): Promise<void> {
  const [program = "", ...args] = words;
  const child = spawn(program, args, { cwd, detached: true, stdio: ["pipe", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (bytes) => {
    said = `${said}${bytes}`.slice(-500);
  });
  // One that does not read what it is told is not wrong for that.
  child.stdin.on("error", () => {});
  child.stdin.end(text);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      killGroup(child.pid);
      reject(new Error(`it ran longer than ${timeout} s`));
    }, timeout * 1000);
    child.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(new Error(error.code === "ENOENT" ? "there is no such program" : error.message));
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      if (code === 0) resolve();
      else reject(new Error(`exit ${code}${said.trim() === "" ? "" : `: ${said.trim()}`}`));
    });
  });
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has gone.
  }
}
