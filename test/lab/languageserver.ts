import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const LIMIT_MS = 60_000;
const SERVER = join(
  dirname(createRequire(import.meta.url).resolve("yaml-language-server/package.json")),
  "bin/yaml-language-server",
);

interface Message {
  id?: number;
  method?: string;
  params?: { uri?: string; items?: unknown[]; diagnostics?: { message: string }[] };
}

/**
 * Opens a YAML file in the language server that editors use, and returns what it finds wrong. The file names its schema. Rejects after a
 * minute.
 */
export function listLanguageServerProblems(file: string): Promise<string[]> {
  const uri = pathToFileURL(file).href;
  const server = spawn(process.execPath, [SERVER, "--stdio"], { stdio: ["pipe", "pipe", "ignore"] });
  const send = (message: object) => {
    const text = JSON.stringify({ jsonrpc: "2.0", ...message });
    server.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  };
  return new Promise<string[]>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${LIMIT_MS / 1000} s`)), LIMIT_MS);
    server.once("error", reject);
    server.once("exit", (code) => reject(new Error(`the language server ended: ${code}`)));
    readMessages(server.stdout, (message) => {
      if (message.id === 1 && message.method === undefined) {
        send({ method: "initialized", params: {} });
        const textDocument = { uri, languageId: "yaml", version: 1, text: readFileSync(file, "utf8") };
        send({ method: "textDocument/didOpen", params: { textDocument } });
      } else if (message.method === "textDocument/publishDiagnostics" && message.params?.uri === uri) {
        clearTimeout(timer);
        resolve((message.params.diagnostics ?? []).map((problem) => problem.message));
      } else if (message.id !== undefined && message.method !== undefined) {
        // Its questions: workspace/configuration wants an answer for each item.
        send({ id: message.id, result: message.params?.items?.map(() => ({ validate: true })) ?? null });
      }
    });
    send({ id: 1, method: "initialize", params: { processId: process.pid, rootUri: null, capabilities: {} } });
  }).finally(() => server.kill("SIGKILL"));
}

/** Calls `take` for each message that a stream of the language server protocol has. */
function readMessages(stream: NodeJS.ReadableStream, take: (message: Message) => void): void {
  let buffer = Buffer.alloc(0);
  stream.on("data", (bytes: Buffer) => {
    buffer = Buffer.concat([buffer, bytes]);
    for (;;) {
      const head = /^(?:.*\r\n)*?Content-Length: (\d+)\r\n(?:.*\r\n)*?\r\n/.exec(buffer.toString("latin1"));
      const end = head === null ? Number.POSITIVE_INFINITY : head[0].length + Number(head[1]);
      if (buffer.length < end) return;
      take(JSON.parse(buffer.toString("utf8", head![0].length, end)) as Message);
      buffer = buffer.subarray(end);
    }
  });
}
