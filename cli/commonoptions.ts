import { type Command, Option } from "commander";

/** Receives what a command resolves with: the exit status. */
export type SetResult = (result: Promise<number>) => void;

/** Options that every command takes. A command whose result does not depend on one of them does not show it in its help. */
const COMMON_OPTIONS = {
  inventory: [
    "-i, --inventory <file>",
    "the inventory, or `local` for this machine only (default: $MUSTER_INVENTORY, ./inventory.yaml, local)",
  ],
  limit: ["--limit <nodes>", "only these nodes: NAME, TAG or GLOB, separated by commas; !NAME leaves out"],
  json: ["--json", "print one JSON document on stdout"],
  quiet: ["-q, --quiet", "print nothing on success"],
  verbose: ["-v, --verbose", "print more detail"],
  color: ["--no-color", "no colour and no redrawing"],
} as const;

/** Adds the common options. `hidden`: the common options that mean nothing to the command. */
export function addCommonOptions(command: Command, hidden: readonly (keyof typeof COMMON_OPTIONS)[] = []): Command {
  for (const [name, [flags, meaning]] of Object.entries(COMMON_OPTIONS))
    command.addOption(new Option(flags, meaning).hideHelp(hidden.includes(name as keyof typeof COMMON_OPTIONS)));
  return command;
}

/** Collects the values of an option that may be given several times. */
export function appendValue(value: string, before: string[] = []): string[] {
  return [...before, value];
}
