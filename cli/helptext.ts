/** The width of help where stdout is no terminal, and the largest one. */
const HELP_COLUMNS = 80;

/** Returns the columns that help may use. */
export function countHelpColumns(): number {
  return Math.min(process.stdout.columns || HELP_COLUMNS, 100);
}

/** Formats what follows the options in the help of a command: examples, a note, and what its exit statuses mean. */
export function formatHelpDetails(
  examples: readonly string[],
  exits: readonly (readonly [status: string, meaning: string])[],
  note = "",
): string {
  const statuses = exits.map(([status, meaning]) => `  ${status.padEnd(8)}${meaning}`);
  return [
    "\nExamples:",
    ...examples.map((example) => `  ${example}`),
    ...(note === "" ? [] : [`\n${note}`]),
    ...(statuses.length === 0 ? [] : ["\nExit status:", ...statuses]),
  ].join("\n");
}
