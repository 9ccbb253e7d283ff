import type { CommandResult, ExitReason } from "../fleet/connection.js";
import type { NodeOutcome } from "../fleet/eachnode.js";
import { escapeUnsafe } from "../schemas/escape.js";
import { pluralize, toOneLine, toPrintableText, wrapText } from "./format.js";

/** How a command ended on a node, or why it did not run there. */
export type CommandOutcome = NodeOutcome<CommandResult>;

/** Returns the output of a command by node, in the order of the outcomes. Nodes with the same output and ending are one group. */
export function formatCommandOutcomes(outcomes: CommandOutcome[]): string {
  const groups = new Map<string, { names: string[]; lines: string[] }>();
  for (const outcome of outcomes) {
    const ending = formatEnding(outcome);
    const lines = "error" in outcome ? [] : splitOutput(outcome.value);
    const key = JSON.stringify([ending, lines]);
    const shown = [...ending, ...lines.map((line) => `    ${line}`)];
    const group = groups.get(key) ?? { names: [], lines: shown.length === 0 ? ["    (no output)"] : shown };
    groups.set(key, group);
    group.names.push(outcome.node.name);
  }
  return toPrintableText([...groups.values()].flatMap(({ names, lines }) => [...formatNames(names), ...lines]));
}

/** Returns a line of what a command prints while it runs. */
export function formatStreamedLine(node: string, line: string): string {
  return toPrintableText([`${toOneLine(node)}: ${toOneLine(line)}`]);
}

/** Returns a line about a node where the command has ended; undefined if it succeeded. */
export function formatFailedCommand(outcome: CommandOutcome): string | undefined {
  const [first] = formatEnding(outcome);
  return first === undefined ? undefined : toPrintableText([`${toOneLine(outcome.node.name)}: ${first.trim()}`]);
}

/** Returns how a command ended. */
export function formatExitReason(reason: ExitReason): string {
  switch (reason.kind) {
    case "exit":
      return `exit code ${reason.code}`;
    case "signal":
      return `killed by ${reason.signal}`;
    case "timeout":
      return `killed after its timeout of ${reason.seconds} s`;
    case "lost":
      return `not known how it ended: ${reason.reason}`;
    default:
      return reason satisfies never;
  }
}

/** Returns the outcomes as one JSON document; `exit` is null where the command did not end by itself. */
export function buildCommandDocument(outcomes: CommandOutcome[]) {
  const nodes = outcomes.map((outcome) => {
    const { name } = outcome.node;
    if ("error" in outcome) {
      const { code, next } = outcome.error;
      return { node: name, ok: false, exit: null, code, reason: outcome.error.textFor(name), next: next ?? null };
    }
    const { value } = outcome;
    const base = { node: name, ok: isSuccess(outcome), exit: value.kind === "exit" ? value.code : null };
    const reason = value.kind === "exit" ? null : formatExitReason(value);
    return { ...base, reason, stdout: value.stdout, stderr: value.stderr };
  });
  return { nodes, failed: nodes.filter(({ ok }) => !ok).length };
}

/** Whether the command ran on the node and ended with exit code 0. */
export function isSuccess(outcome: CommandOutcome): boolean {
  return !("error" in outcome) && outcome.value.kind === "exit" && outcome.value.code === 0;
}

/** Returns indented lines that say how it ended; none if it succeeded. */
function formatEnding(outcome: CommandOutcome): string[] {
  if (isSuccess(outcome)) return [];
  if (!("error" in outcome)) return [`    (${formatExitReason(outcome.value)})`];
  const { error, node } = outcome;
  const next = error.next === undefined ? [] : wrapText(error.next, "        ", 80);
  return [...wrapText(error.textFor(node.name), "    ", 80), ...next];
}

function splitOutput({ stdout, stderr }: CommandResult): string[] {
  return [stdout, stderr].flatMap((text) => (text === "" ? [] : escapeUnsafe(text).replace(/\n$/, "").split("\n")));
}

function formatNames(names: string[]): string[] {
  if (names.length === 1) return [`${toOneLine(names[0]!)}:`];
  return wrapText(`${pluralize(names.length, "node")} (${names.map(toOneLine).join(", ")}):`, "", 80);
}
