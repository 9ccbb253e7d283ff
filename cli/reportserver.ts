import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { LOGS_FOLDER } from "../report/page/loglinks.js";
import { REPORT_NAME, renderShell, SHELL_POLICY, SHELL_SCRIPT, SHELL_SCRIPT_NAME } from "../report/served/shell.js";
import type { Writers } from "../report/writers.js";
import { MusterError } from "../schemas/errors.js";
import { formatError } from "./errortext.js";
import { handleInterrupt } from "./interrupt.js";
import type { ServedRun } from "./servedrun.js";

const HOST = "127.0.0.1";
/** A report is rendered again after at least this time, and after so many times what rendering it took. */
const MIN_AGE_MS = 1000;
const MAX_RENDER_SHARE = 5;

interface RenderedReport {
  text: string;
  tag: string;
  /** Until then, the same text is served again. */
  untilMs: number;
}

/**
 * Serves the report of a run, with the logs of its chunks, on this machine until it is interrupted, and prints its address, which has a
 * secret in it: other users of the machine cannot read the report. `port`: 0 = any that is free. Returns the exit status. Rejects with a
 * MusterError where the port is not free.
 */
export async function serveReport(run: ServedRun, port: number, writers: Writers): Promise<number> {
  const cache = new ReportCache(run);
  const base = `/${randomBytes(16).toString("hex")}/`;
  const server = createServer((request, response) => {
    answer(request, response, base, run, cache).catch((error: unknown) => {
      respond(response, 500, "text/plain", formatError(error));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(explainListenError(error, port)));
    server.listen({ host: HOST, port }, resolve);
  });
  const address = `${HOST}:${(server.address() as AddressInfo).port}`;
  writers.out(`http://${address}${base}`);
  writers.err("serving the report on this machine; Ctrl-C ends it");
  const interrupt = handleInterrupt();
  if (!interrupt.signal.aborted)
    await new Promise((resolve) => interrupt.signal.addEventListener("abort", resolve, { once: true }));
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  interrupt.release();
  return 0;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  base: string,
  run: ServedRun,
  cache: ReportCache,
): Promise<void> {
  // A page elsewhere whose name was made to mean this machine has another Host.
  const isForUs = /^(?:127\.0\.0\.1|localhost)(?::\d+)?$/.test(request.headers.host ?? "");
  const path = request.url ?? "";
  if (!isForUs || !path.startsWith(base)) return respond(response, 404, "text/plain", "there is no such page");
  if (request.method !== "GET" && request.method !== "HEAD") return respond(response, 405, "text/plain", "only GET");
  const name = path.slice(base.length);
  if (name.startsWith(LOGS_FOLDER)) return answerLog(response, run, name.slice(LOGS_FOLDER.length));
  switch (name) {
    case "":
      return respond(response, 200, "text/html", renderShell(run.title), { "Content-Security-Policy": SHELL_POLICY });
    case SHELL_SCRIPT_NAME:
      return respond(response, 200, "text/javascript", SHELL_SCRIPT);
    case REPORT_NAME: {
      const { text, tag } = await cache.get();
      const isKnown = request.headers["if-none-match"] === tag;
      return respond(response, isKnown ? 304 : 200, "text/html", isKnown ? "" : text, { ETag: tag });
    }
    default:
      return respond(response, 404, "text/plain", "there is no such page");
  }
}

async function answerLog(response: ServerResponse, run: ServedRun, address: string): Promise<void> {
  const log = await run.readLog(address);
  if (log !== undefined) return respond(response, 200, "text/plain", log);
  respond(response, 404, "text/plain", "there is no such log: the chunk has printed nothing, or has not ended yet");
}

function respond(
  response: ServerResponse,
  status: number,
  type: string,
  body: string | Buffer,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    "Content-Type": `${type}; charset=utf-8`,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    ...headers,
  });
  response.end(body);
}

/** Keeps the last report, so that many readers and quick ones cost no more than one. */
class ReportCache {
  private last: RenderedReport | undefined;
  private pending: Promise<RenderedReport> | undefined;

  constructor(private readonly run: ServedRun) {}

  async get(): Promise<RenderedReport> {
    if (this.last !== undefined && performance.now() < this.last.untilMs) return this.last;
    this.pending ??= this.renderNow().finally(() => {
      this.pending = undefined;
    });
    return this.pending;
  }

  private async renderNow(): Promise<RenderedReport> {
    const began = performance.now();
    const text = await this.run.renderPage();
    const age = Math.max(MIN_AGE_MS, (performance.now() - began) * MAX_RENDER_SHARE);
    const tag = `"${createHash("sha256").update(text).digest("base64url")}"`;
    this.last = { text, tag, untilMs: performance.now() + age };
    return this.last;
  }
}

function explainListenError(error: NodeJS.ErrnoException, port: number): MusterError {
  const reason = error.code === "EADDRINUSE" ? "is in use" : `cannot be used (${error.code})`;
  return new MusterError("NO_PORT", `port ${port} of ${HOST} ${reason}`, {
    next: "Name another port, or none: any free one is used.",
  });
}
