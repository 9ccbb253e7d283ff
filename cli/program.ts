import { Command, CommanderError } from "commander";
import { addCommands } from "./commands.js";
import type { SetResult } from "./commonoptions.js";
import { countHelpColumns, formatHelpDetails } from "./helptext.js";
import { terminal } from "./terminal.js";
import { describeVersion } from "./version.js";

const EXAMPLES = [
  "muster run -i local examples/sieve/job.yaml  run a job on this machine's cores",
  "muster run job.yaml -i inventory.yaml        run a job on an inventory's nodes",
  "muster init inventory rig1 rig2              write an inventory of these hosts",
  "muster nodes                                 show the hardware of each node",
  "muster doctor                                find out why a node does not work",
  "muster verify --diff                         show how nodes have drifted",
  "muster provision                             bring nodes into their state",
  "muster validate inventory.yaml job.yaml      check files",
];

/** Returns an error of the parser as other errors are printed. */
function formatParserError(text: string): string {
  return text.replace(/^error: /, "muster: ").replace(/^\(Did you mean (.*)\)$/m, "    did you mean $1");
}

/** Returns the parser of the command line. `setResult` receives the exit status that the chosen command resolves with. */
export function buildProgram(setResult: SetResult): Command {
  const muster = new Command("muster")
    .description("Brings GPU rigs into a defined state, verifies that state, and runs jobs on them.")
    .option("-V, --version", "print the version and its commit")
    .on("option:version", () => {
      terminal.out(describeVersion());
      throw new CommanderError(0, "muster.version", "");
    })
    .enablePositionalOptions()
    .showHelpAfterError("    see muster --help, or muster COMMAND --help")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
      outputError: (text, write) => write(formatParserError(text)),
      getOutHelpWidth: countHelpColumns,
      getErrHelpWidth: countHelpColumns,
    })
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .addHelpText("after", formatHelpDetails(EXAMPLES, []));
  addCommands(muster, setResult);
  return muster;
}
