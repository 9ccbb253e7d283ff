import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { Command, CommanderError } from "commander";
import { addCommands } from "./commands.js";
import { exitStatusOf, formatError } from "./errortext.js";
import { flushStdout, terminal } from "./terminal.js";

/** The whole command line; `done` gets what the verb that is asked for will answer. */
function buildProgram(done: (verb: Promise<number>) => void): Command {
  const muster = new Command("muster")
    .description("Brings GPU rigs into the state they must be in, proves that they are, and runs jobs on them.")
    .version(readVersion(), "-V, --version")
    .showHelpAfterError("(muster --help, or muster VERB --help, shows how)")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
    })
    .addHelpText(
      "after",
      "\nExamples:\n  muster run -i local examples/sieve/job.yaml  a job on this machine's own cores\n  muster run job.yaml -i inventory.yaml   the same on the nodes of an inventory\n  muster nodes                            what each node has\n  muster doctor                           what keeps a node from working\n  muster verify --diff                    how nodes differ from what they must be\n  muster provision                        bring them into state\n  muster validate inventory.yaml job.yaml what is wrong with a file, and where",
    );
  addCommands(muster, done);
  return muster;
}

function readVersion(): string {
  const file = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

async function main(words: string[]): Promise<number> {
  let verb: Promise<number> = Promise.resolve(0);
  try {
    await buildProgram((promise) => {
      verb = promise;
    }).parseAsync(words);
    return await verb;
  } catch (error) {
    // Commander has said what was wrong, or has shown the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 64;
    terminal.err(formatError(error));
    return exitStatusOf(error);
  }
}

process.on("uncaughtException", (error) => {
  terminal.err(formatError(error));
  process.exit(exitStatusOf(error));
});
// A log that has gone must not end a run.
process.stderr.on("error", () => {});
// A reader that has gone (`muster ... | head`) is no error of ours, and changes nothing about what has been done.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") return;
  terminal.err(`muster: cannot write to stdout: ${error.message}`);
  process.exit(3);
});
// Code is optimized late: the optimizer's work for a run of seconds would take longer than it saves. Newer engines do not know the flag.
if (process.versions.v8.startsWith("11.")) setFlagsFromString("--interrupt-budget=300000");
const code = await main(process.argv);
await flushStdout();
process.exit(code);
