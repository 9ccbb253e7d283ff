import { once } from "node:events";
import { createInterface, type Interface } from "node:readline/promises";
import { Writable } from "node:stream";
import { escapeUnsafe } from "../schemas/escape.js";

/** Whether somebody can be asked: stdin is a terminal. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true;
}

/** Asks a question on the terminal. Resolves with undefined at Ctrl-D; Ctrl-C ends this process as in any program. */
export function ask(question: string): Promise<string | undefined> {
  return askWith(process.stderr, (terminal) => terminal.question(escapeUnsafe(question)));
}

/** Asks for a secret on the terminal, which does not show what is typed. Resolves and ends as `ask` does. */
export async function askHidden(question: string): Promise<string | undefined> {
  const nowhere = new Writable({ write: (_bytes, _encoding, done) => done() });
  try {
    return await askWith(nowhere, (terminal) => {
      const answer = terminal.question("");
      // Not before: until then the terminal shows what is typed.
      process.stderr.write(escapeUnsafe(question));
      return answer;
    });
  } finally {
    process.stderr.write("\n");
  }
}

/** Says what is to be done, and asks whether to do it. Only "y" and "yes" mean that. */
export async function confirm(what: string, question: string): Promise<boolean> {
  process.stderr.write(`${escapeUnsafe(what)}\n`);
  const answer = await ask(`${question} [y/N] `);
  if (answer === undefined) process.stderr.write("\n");
  return /^y(es)?$/i.test((answer ?? "").trim());
}

async function askWith(
  output: NodeJS.WritableStream,
  put: (terminal: Interface) => Promise<string>,
): Promise<string | undefined> {
  const terminal = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
  terminal.once("SIGINT", () => {
    terminal.close();
    process.kill(process.pid, "SIGINT");
  });
  const closed = once(terminal, "close").then(() => undefined);
  // A question that is left with Ctrl-D rejects, or is never answered, by the version of Node.js.
  const answered = put(terminal).catch(() => undefined);
  const answer = await Promise.race([answered, closed]);
  terminal.close();
  return answer;
}
