import { setFlagsFromString } from "node:v8";
import { CommanderError } from "commander";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { buildErrorDocument, exitStatusOf, formatError } from "./errortext.js";
import { buildProgram } from "./program.js";
import { flushStdout, terminal } from "./terminal.js";

/** Commander puts its suggestion on a line of its own. */
function toUsageError({ message }: CommanderError): UsageError {
  const [first = "", next] = message.replace(/^error: /, "").split("\n");
  return new UsageError(first, next?.replace(/^\((.*)\)$/, "$1"));
}

async function main(argv: string[]): Promise<number> {
  let result: Promise<number> = Promise.resolve(0);
  try {
    await buildProgram((promise) => {
      result = promise;
    }).parseAsync(argv);
    return await result;
  } catch (error) {
    // Commander has already printed the error or the help.
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const known = error instanceof CommanderError ? toUsageError(error) : error;
    if (known === error) terminal.err(formatError(known));
    if (argv.includes("--json")) terminal.out(formatJson(buildErrorDocument(known), 2));
    else if (argv.includes("--json-lines")) terminal.out(formatJson(buildErrorDocument(known)));
    return exitStatusOf(known);
  }
}

process.on("uncaughtException", (error) => {
  terminal.err(formatError(error));
  process.exit(exitStatusOf(error));
});
// A closed stderr must not end a run.
process.stderr.on("error", () => {});
// A reader that closes the pipe (`muster ... | head`) is not an error, and does not change the result.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") return;
  terminal.err(`muster: cannot write to stdout: ${error.message}`);
  process.exit(3);
});
// Delay optimized compilation: in a run of seconds it costs more time than it saves. Newer engines do not have this flag.
if (process.versions.v8.startsWith("11.")) setFlagsFromString("--interrupt-budget=300000");
const code = await main(process.argv);
await flushStdout();
process.exit(code);
