import { setFlagsFromString } from "node:v8";
import { Command, CommanderError } from "commander";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { addCommands } from "./commands.js";
import type { SetResult } from "./commonoptions.js";
import { buildErrorDocument, exitStatusOf, formatError } from "./errortext.js";
import { countHelpColumns, formatHelpDetails } from "./helptext.js";
import { flushStdout, terminal } from "./terminal.js";
import { describeVersion } from "./version.js";

const EXAMPLES = [
  "muster run -i local examples/sieve/job.yaml  run a job on this machine's cores",
  "muster run job.yaml -i inventory.yaml        run a job on an inventory's nodes",
  "muster nodes                                 show the hardware of each node",
  "muster doctor                                find out why a node does not work",
  "muster verify --diff                         show how nodes have drifted",
  "muster provision                             bring nodes into their state",
  "muster validate inventory.yaml job.yaml      check files",
];

/** Returns the parser of the command line. `setResult` receives the exit status that the chosen command resolves with. */
function buildProgram(setResult: SetResult): Command {
  const muster = new Command("muster")
    .description("Brings GPU rigs into a defined state, verifies that state, and runs jobs on them.")
    .option("-V, --version", "print the version and its commit")
    .on("option:version", () => {
      terminal.out(describeVersion());
      throw new CommanderError(0, "muster.version", "");
    })
    .enablePositionalOptions()
    .showHelpAfterError("(see muster --help, or muster COMMAND --help)")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
      getOutHelpWidth: countHelpColumns,
      getErrHelpWidth: countHelpColumns,
    })
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .addHelpText("after", formatHelpDetails(EXAMPLES, []));
  addCommands(muster, setResult);
  return muster;
}

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
