import { buffer } from "node:stream/consumers";
import { forEachNode } from "../fleet/eachnode.js";
import { findInventory, selectNodes } from "../fleet/inventory.js";
import { runAsRoot } from "../playbooks/engine/sudo.js";
import {
  buildCommandDocument,
  type CommandOutcome,
  formatCommandOutcomes,
  formatFailedCommand,
  formatStreamedLine,
  isSuccess,
} from "../report/commandoutput.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { announceDrains } from "./announcedrains.js";
import { handleInterrupt } from "./interrupt.js";
import { LinePrinter } from "./lineprinter.js";
import { type CommonOptions, parseDurationOption } from "./options.js";
import { withProgress } from "./withprogress.js";

interface ExecOptions extends CommonOptions {
  stream?: boolean;
  stdin?: boolean;
  become?: boolean;
  timeout: string;
}

const CAP_BYTES = 16 << 20;
/** The exit code for a program that there is not. */
const NOT_FOUND = 127;
const SHELL = /(^|\/)[a-z]*sh$/;
const STREAM_NAMES = { stdout: "out", stderr: "err" } as const;

/**
 * `muster exec`: runs a command on every selected node, side by side, and prints what it printed. Returns the exit status: 3 where it did
 * not succeed on some node, 69 where no node could be reached.
 */
export async function exec(command: string[], options: ExecOptions, writers: Writers): Promise<number> {
  if (options.stream && options.json) throw new UsageError("--stream and --json exclude each other");
  const timeout = parseDurationOption("--timeout", options.timeout);
  const nodes = selectNodes(findInventory(options.inventory, process.env, process.cwd()), options.limit);
  announceDrains(nodes, options, writers);
  const stdin = options.stdin ? await buffer(process.stdin) : undefined;
  const interrupt = handleInterrupt();
  const argv = options.become ? runAsRoot(command) : command;
  const printer = new LinePrinter((node, name, line) => writers[STREAM_NAMES[name]](formatStreamedLine(node, line)));
  const outcomes = await withProgress(nodes, { ...options, quiet: options.quiet || options.stream }, writers, (done) =>
    forEachNode(
      nodes,
      (connection) =>
        connection.exec(argv, {
          stdin,
          timeout,
          cap: CAP_BYTES,
          signal: interrupt.signal,
          onOutput: options.stream ? (name, bytes) => printer.add(connection.node.name, name, bytes) : undefined,
        }),
      (outcome) => done(outcome.node, formatFailedCommand(outcome) ?? `${outcome.node.name}: done`),
    ),
  );
  interrupt.release();
  printer.end();
  printOutcomes(outcomes, options, writers);
  if (!options.json && !SHELL.test(command[0]!) && outcomes.some(isMissingProgram))
    writers.err("exec runs a program without a shell; with one: muster exec -- sh -c 'cd /tmp && ls | wc -l'");
  return interrupt.exitStatus() ?? exitStatusOf(outcomes);
}

function printOutcomes(outcomes: CommandOutcome[], options: ExecOptions, writers: Writers): void {
  if (options.json) return writers.out(formatJson(buildCommandDocument(outcomes), 2));
  const shown = options.quiet ? outcomes.filter((outcome) => !isSuccess(outcome)) : outcomes;
  if (!options.stream && shown.length > 0) writers.out(formatCommandOutcomes(shown));
  if (options.stream) for (const line of shown.flatMap((one) => formatFailedCommand(one) ?? [])) writers.err(line);
}

function isMissingProgram(outcome: CommandOutcome): boolean {
  return "value" in outcome && outcome.value.kind === "exit" && outcome.value.code === NOT_FOUND;
}

function exitStatusOf(outcomes: CommandOutcome[]): number {
  if (outcomes.every(isSuccess)) return 0;
  return outcomes.every((outcome) => "error" in outcome) ? 69 : 3;
}
