import type { Command } from "commander";

const HELP_COLUMNS = 72;

/** Returns muster's manual page in the language of man(7): the help of every command. `version`: of the package. */
export function renderManualPage(program: Command, version: string): string {
  const commands = program.commands.map((command) => ({ name: command.name(), help: captureHelp(command) }));
  return [
    `.TH MUSTER 1 "" "muster ${escapeRoff(version)}" "User Commands"`,
    ".SH NAME",
    `muster \\- ${escapeRoff(program.description().replace(/\.$/, ""))}`,
    ".SH SYNOPSIS",
    ".B muster",
    "COMMAND [OPTIONS] [ARGUMENTS]",
    ".SH OVERVIEW",
    ...formatVerbatim(captureHelp(program)),
    ".SH COMMANDS",
    ...commands.flatMap(({ name, help }) => [`.SS muster ${escapeRoff(name)}`, ...formatVerbatim(help)]),
    "",
  ].join("\n");
}

/** Returns what `--help` prints, with what is added to it. */
function captureHelp(command: Command): string {
  let text = "";
  const take = (part: string) => {
    text += part;
  };
  command.configureOutput({ writeOut: take, writeErr: take, getOutHelpWidth: () => HELP_COLUMNS });
  command.outputHelp();
  return text.trim();
}

function formatVerbatim(text: string): string[] {
  return [".nf", ...text.split("\n").map(escapeRoff), ".fi"];
}

/** A backslash begins an escape; a dot or an apostrophe at the start of a line begins a request; a hyphen is not a minus. */
function escapeRoff(line: string): string {
  return line
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^(?=[.'])/, "\\&");
}
