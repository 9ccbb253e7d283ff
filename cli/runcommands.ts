import type { Command } from "commander";
import { addCommonOptions, appendValue, type SetResult } from "./commonoptions.js";
import { formatHelpDetails } from "./helptext.js";
import { terminal as writers } from "./terminal.js";

function addStatus(muster: Command, setResult: SetResult): void {
  addCommonOptions(muster.command("status").argument("[dir]", "a run, or a folder of runs (default: ./runs)"), [
    "inventory",
    "limit",
    "quiet",
  ])
    .summary("show the state, progress, failures and duration of runs")
    .description(
      "Shows the status of runs from their run directories alone, while they run and after their coordinator was killed.",
    )
    .addHelpText(
      "after",
      formatHelpDetails(["muster status", "muster status examples/sieve", "muster status runs/sieve --json"], []),
    )
    .action((folder, options) =>
      setResult(import("./status.js").then(({ status }) => status(folder, options, writers))),
    );
}

function addReport(muster: Command, setResult: SetResult): void {
  addCommonOptions(
    muster
      .command("report")
      .argument("[run]", "a run directory, or the name of a run in ./runs (default: the only run there is)"),
    ["inventory", "limit"],
  )
    .summary("show what a run did: nodes and slots, rates, failures, a timeline")
    .description(
      "Reports on a run from its run directory alone: chunks, units, busy share, rate and failures of each node and slot, the slowest chunks, lost nodes and slots, and the plan beside the actual figures.",
    )
    .option("--html <file>", "write an HTML page with a timeline, to be opened from disk")
    .option("--serve [port]", "serve that page on this machine, up to date while the run goes on, until Ctrl-C")
    .addHelpText(
      "after",
      formatHelpDetails(
        [
          "muster report runs/sieve",
          "muster report sieve --html sieve.html",
          "muster report sieve --serve              prints an address for the browser",
          "muster report runs/sieve --json",
          "muster report analysis/trials            a step of a pipeline",
        ],
        [],
      ),
    )
    .action((run, options) => setResult(import("./report.js").then(({ report }) => report(run, options, writers))));
}

function addCancel(muster: Command, setResult: SetResult): void {
  addCommonOptions(
    muster
      .command("cancel")
      .argument("[run]", "a run directory, or the name of a run in ./runs (default: the only unfinished run)"),
    ["verbose"],
  )
    .summary("end a run everywhere, and leave nothing on its nodes")
    .description(
      "Ends the run of a job or a pipeline: its coordinator, if it is alive, and everything on its nodes. Results that have ended there are collected first; `muster run` resumes the run. With --task, only tasks of a queue are cancelled: those that wait are not started, those that run are stopped, and the run goes on.",
    )
    .option("--task <id>", "cancel this task of a queue instead of the run; may be given several times", appendValue)
    .addHelpText(
      "after",
      formatHelpDetails(
        [
          "muster cancel",
          "muster cancel runs/sieve",
          "muster cancel sieve -i inventory.yaml --limit rig-6600",
          "muster cancel trials --task trial-17     only this task of a queue",
        ],
        [
          ["0", "nothing is left"],
          ["3", "some nodes could not be reached or cleaned"],
          ["64, 65", "wrong usage, an invalid file"],
          ["75", "its coordinator is on another machine"],
        ],
        "The nodes are those of the run; -i is needed only where its inventory has moved.",
      ),
    )
    .action((run, options) => setResult(import("./cancel.js").then(({ cancel }) => cancel(run, options, writers))));
}

function addLogs(muster: Command, setResult: SetResult): void {
  addCommonOptions(
    muster
      .command("logs")
      .argument("<run>", "a run directory, or the name of a run in ./runs")
      .argument("[chunk]", "the id of the chunk"),
    ["limit", "verbose"],
  )
    .summary("show what a chunk has printed, or prints while it runs")
    .description(
      "Prints the stdout and stderr of a chunk: of its last attempt, or of the one that --try names. With -f it prints what a chunk, or each running chunk, prints until it ends; it reads from the nodes over connections of its own, also where the run was interrupted.",
    )
    .option("-f, --follow", "print what comes until the chunk ends; without a chunk, until the run ends")
    .option("--tail <n>", "begin with the last N lines (--failed: show N lines)")
    .option("--failed", "the last lines of all failed chunks")
    .option("--node <nodes>", "with -f or --failed: only these nodes: NAME, TAG or GLOB, separated by commas")
    .option("--try <n>", "the attempt with this number")
    .option("--out", "only stdout")
    .option("--err", "only stderr")
    .addHelpText(
      "after",
      formatHelpDetails(
        [
          "muster logs sieve 0-10000",
          "muster logs sieve 0-10000 -f --tail 20",
          "muster logs sieve -f --node rigs         all running chunks of some nodes",
          "muster logs runs/trials trial=3 --err",
          "muster logs runs/trials trial=3 --try 1",
          "muster logs runs/trials --failed",
          "muster logs analysis/predict command     the command of a pipeline step",
        ],
        [
          ["0", "done"],
          ["3", "output is lost, or a node could not be followed"],
          ["64, 65", "wrong usage, a damaged run directory"],
          ["130", "interrupted; the run is not affected"],
        ],
      ),
    )
    .action((run, chunk, options) =>
      setResult(import("./logs.js").then(({ logs }) => logs(run, chunk, options, writers))),
    );
}

function addAttach(muster: Command, setResult: SetResult): void {
  addCommonOptions(
    muster
      .command("attach")
      .argument("[run]", "a run directory, or the name of a run in ./runs (default: the only one that is running)"),
    ["inventory", "limit", "verbose"],
  )
    .summary("show a run that is running, as `muster run` shows it")
    .description(
      "Shows the live view of a run that was started elsewhere, with `muster run --detach` or in another terminal, until it ends, and then its summary. It reads the run directory alone. Ctrl-C ends this command; the run goes on.",
    )
    .addHelpText(
      "after",
      formatHelpDetails(
        ["muster attach", "muster attach runs/sieve", "muster attach sieve --no-color"],
        [
          ["0", "the run is done"],
          ["3", "some chunks failed, or the run stopped; the rest is kept"],
          ["64, 65", "wrong usage, a damaged run directory"],
          ["69", "no usable node"],
          ["130", "interrupted: this command (the run goes on), or the run"],
        ],
      ),
    )
    .action((run, options) => setResult(import("./attach.js").then(({ attach }) => attach(run, options, writers))));
}

function addWhy(muster: Command, setResult: SetResult): void {
  addCommonOptions(
    muster
      .command("why")
      .argument("<run>", "a run directory, or the name of a run in ./runs")
      .argument("<chunk>", "the id of the chunk; of a range, also one of its units"),
    ["limit", "quiet", "verbose"],
  )
    .summary("explain one chunk: its attempts, where it runs or waits, and why")
    .description(
      "Shows each attempt at a chunk with its place, times, end and last lines; where the chunk runs now and why there, or that it waits; and every rule that refuses each slot. It reads the run directory and the inventory, and connects to nothing.",
    )
    .addHelpText(
      "after",
      formatHelpDetails(
        [
          "muster why sieve 0-10000",
          "muster why sieve 123456           the chunk with this unit",
          "muster why analysis/trials trial=3 --json",
        ],
        [
          ["0", "done"],
          ["64, 65", "wrong usage, a damaged run directory"],
        ],
      ),
    )
    .action((run, chunk, options) =>
      setResult(import("./why.js").then(({ why }) => why(run, chunk, options, writers))),
    );
}

function addAdd(muster: Command, setResult: SetResult): void {
  addCommonOptions(
    muster
      .command("add")
      .argument("<run>", "a run directory, the name of a run in ./runs, or a job file")
      .argument("[tasks]", "a file with tasks in YAML, JSON or JSON lines; - for stdin"),
    ["inventory", "limit", "verbose"],
  )
    .summary("add tasks to the queue of a run, before it begins and while it runs")
    .description(
      "Adds tasks to the queue of a job of kind `queue`: all of them, or none where one is invalid. They are on disk when it returns, whether or not the run is running. A task that the queue has already is no change; another task with its id is refused. A job file stands for the run that `muster run` begins or resumes.",
    )
    .option("--close", "accept no more tasks: the run ends when those that it has are done")
    .option("--out <dir>", "with a job file: the run directory (default: runs/NAME beside it)")
    .addHelpText(
      "after",
      formatHelpDetails(
        [
          "muster add trials.yaml tasks.yaml        before the first `muster run trials.yaml`",
          "muster add trials more.ndjson            while it runs",
          "python3 suggest.py | muster add trials -",
          "muster add trials --close",
        ],
        [
          ["0", "added; or the queue has them already"],
          ["3", "the disk is full; nothing was added"],
          ["64, 65", "wrong usage; an invalid task, a closed queue; nothing was added"],
        ],
        "Paths in tasks are relative to the job file. The files are copied into the\nrun directory, so they may change or go afterwards.",
      ),
    )
    .action((run, tasks, options) =>
      setResult(import("./add.js").then(({ add }) => add(run, tasks, options, writers))),
    );
}

/** Adds the commands that look at runs, or change them. */
export function addRunCommands(muster: Command, setResult: SetResult): void {
  for (const add of [addStatus, addAdd, addAttach, addReport, addCancel, addLogs, addWhy]) add(muster, setResult);
}
