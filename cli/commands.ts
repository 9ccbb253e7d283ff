import type { Command } from "commander";
import { terminal as writers } from "./terminal.js";

/** Takes what a verb will answer: the exit code. */
type SetResult = (verb: Promise<number>) => void;

const appendValue = (value: string, before: string[] = []): string[] => [...before, value];

function addCommonOptions(command: Command): Command {
  return command
    .option(
      "-i, --inventory <file>",
      "the nodes, or `local`: this machine alone (else $MUSTER_INVENTORY, ./inventory.yaml, local)",
    )
    .option("--limit <nodes>", "only these: NAME, TAG or GLOB, several with commas")
    .option("--json", "one JSON document on stdout")
    .option("-q, --quiet", "nothing on success")
    .option("-v, --verbose", "more detail")
    .option("--no-color", "no colour, no redrawing");
}

function addRun(muster: Command, done: SetResult): void {
  addCommonOptions(muster.command("run").argument("<file>", "a job or a pipeline (see docs/reference.md)"))
    .summary("run a job or a pipeline, or go on with it")
    .description(
      "Runs a job, or the steps of a pipeline, on the nodes of the inventory and collects every result, once. The same command again goes on where it stopped.",
    )
    .option("--out <dir>", "the run directory (else runs/NAME beside the job file)")
    .option("--fresh", "start anew beside an earlier run, never over it")
    .option("--adopt", "stop what another copy of the run directory has on the nodes, and continue here")
    .option("--provision", "bring nodes into the state that the job's playbooks want, where they have drifted")
    .option("--plan", "say what would run where, and run nothing")
    .option("--set <key=value>", "change a parameter of the job (params.key), or another of its keys", appendValue)
    .option("--range <start:end>", "another range, half-open")
    .option("--from <step>", "of a pipeline: this step and those that come after it")
    .option("--only <step>", "of a pipeline: this step alone")
    .option("--metrics <file>", "write figures for Prometheus (node_exporter's textfile collector) when it is over")
    .option("--cron", "of a pipeline: silent on success, a run directory with the time in its name, one at a time")
    .option("--overlap <what>", "with --cron, while another run of it goes on: skip | wait | fail")
    .option("--lock-wait <time>", "with --overlap wait: the longest it waits, e.g. 10m")
    .addHelpText(
      "after",
      "\nExamples:\n  muster run sieve.yaml --range 0:4294967296\n  muster run scoring_jobs.json --out scoring_results --limit rigs\n  muster run trials.yaml --set sample_size=350 --fresh\n\nExit: 0 done, 3 some chunks failed, 64/65 wrong usage/file, 69 no usable node, 75 held by another run, 130 interrupted",
    )
    .action((file, options) => done(import("./run.js").then(({ run }) => run(file, options, writers))));
}

function addProvision(muster: Command, done: SetResult): void {
  addCommonOptions(muster.command("provision").argument("[playbooks...]", "which; else those that the inventory names"))
    .summary("bring nodes into the state that their playbooks describe")
    .description(
      "Brings every node into state: looks, changes what differs, and looks again to prove it. A second time it changes nothing.",
    )
    .option("--check", "only say what would be changed (the same as verify)")
    .option("--diff", "show how files differ")
    .option("--if-rebooted", "only nodes that have booted since their last provision that succeeded")
    .option("--lock-wait <time>", "the longest it waits for another provision on a node (60s)")
    .addHelpText(
      "after",
      "\nExamples:\n  muster provision --check --diff\n  muster provision ramdisk --limit rigs --if-rebooted\n  muster provision rocm-env kernel-params\n\nExit: 0 in state, 2 drift (--check), 3 some nodes or resources failed or need a reboot, 64/65 wrong usage/file, 69 no usable node, 75 held by another provision",
    )
    .action((names, options) =>
      done(import("./provision.js").then(({ provision }) => provision(names, options, writers))),
    );
}

function addVerify(muster: Command, done: SetResult): void {
  addCommonOptions(muster.command("verify").argument("[playbooks...]", "which; else those that the inventory names"))
    .summary("say how nodes differ from what their playbooks describe")
    .description("Looks at every node and says what differs. Nothing is changed or left on a node.")
    .option("--diff", "show how files differ")
    .option("--metrics <file>", "write figures for Prometheus (node_exporter's textfile collector)")
    .addHelpText(
      "after",
      "\nExamples:\n  muster verify\n  muster verify ramdisk --limit rigs --diff\n  muster verify --json\n\nExit: 0 in sync, 2 drift, 3 some nodes or resources could not be looked at, 64/65 wrong usage/file, 69 no usable node",
    )
    .action((names, options) => done(import("./verify.js").then(({ verify }) => verify(names, options, writers))));
}

function addStatus(muster: Command, done: SetResult): void {
  addCommonOptions(muster.command("status").argument("[dir]", "a folder of runs, or a run (else ./runs)"))
    .summary("how runs stand: state, progress, failures, time")
    .description(
      "Says how runs stand, from their run directories alone: while they run, and after their coordinator was killed.",
    )
    .addHelpText(
      "after",
      "\nExamples:\n  muster status\n  muster status examples/sieve\n  muster status runs/sieve --json",
    )
    .action((place, options) => done(import("./status.js").then(({ status }) => status(place, options, writers))));
}

function addReport(muster: Command, done: SetResult): void {
  addCommonOptions(
    muster.command("report").argument("[run]", "a run directory, or the name of one in ./runs (else the only one)"),
  )
    .summary("what a run did: nodes and slots, rates, failures, a timeline")
    .description(
      "Says what a run did, from its run directory alone: chunks, units, busy share, rate and failures of each node and slot, the slowest chunks, what was lost and when, and plan against truth.",
    )
    .option("--html <file>", "write one page with a timeline, to be opened from disk")
    .addHelpText(
      "after",
      "\nExamples:\n  muster report runs/sieve\n  muster report sieve --html sieve.html\n  muster report runs/sieve --json\n  muster report analysis/trials            of a step of a pipeline",
    )
    .action((run, options) => done(import("./report.js").then(({ report }) => report(run, options, writers))));
}

function addCancel(muster: Command, done: SetResult): void {
  addCommonOptions(
    muster.command("cancel").argument("[run]", "a run directory, or the name of one in ./runs (else the only one)"),
  )
    .summary("end a run everywhere, leaving nothing on its nodes")
    .description(
      "Ends a run of a job or a pipeline: its coordinator, where it lives, and what it has on its nodes. What is done is kept; `muster run` goes on from there.",
    )
    .addHelpText(
      "after",
      "\nExamples:\n  muster cancel\n  muster cancel runs/sieve\n  muster cancel sieve -i inventory.yaml --limit rig-6600\n\nThe nodes are those that the run was given; -i is needed only where its inventory has moved.\n\nExit: 0 nothing is left, 3 some nodes could not be reached or cleaned, 64/65 wrong usage/file, 75 its coordinator is on another machine",
    )
    .action((run, options) => done(import("./cancel.js").then(({ cancel }) => cancel(run, options, writers))));
}

function addLogs(muster: Command, done: SetResult): void {
  addCommonOptions(
    muster
      .command("logs")
      .argument("<run>", "a run directory, or the name of one in ./runs")
      .argument("<chunk>", "the chunk's id"),
  )
    .summary("what a chunk printed")
    .description("Prints what a chunk wrote to its stdout and stderr.")
    .option("--out", "only stdout")
    .option("--err", "only stderr")
    .addHelpText(
      "after",
      "\nExamples:\n  muster logs sieve 0-10000\n  muster logs runs/trials trial=3 --err\n  muster logs analysis/predict command    of a step of a pipeline",
    )
    .action((run, chunk, options) => done(import("./logs.js").then(({ logs }) => logs(run, chunk, options, writers))));
}

function addSchedule(muster: Command, done: SetResult): void {
  addCommonOptions(
    muster
      .command("schedule")
      .argument("<what>", "show, install or remove")
      .argument("<pipelines...>", "pipelines with a `schedule`"),
  )
    .summary("let cron start pipelines: show, install or remove their crontab entries")
    .description(
      "Shows when cron starts a pipeline or its steps, puts that into your crontab, or takes it out. Other lines stay as they are.",
    )
    .addHelpText(
      "after",
      "\nExamples:\n  muster schedule show nightly.yaml\n  muster schedule install nightly.yaml -i inventory.yaml\n  muster schedule remove nightly.yaml",
    )
    .action((what, files, options) =>
      done(import("./schedule.js").then(({ schedule }) => schedule(what, files, options, writers))),
    );
}

function addDoctor(muster: Command, done: SetResult): void {
  addCommonOptions(muster.command("doctor").argument("[nodes...]", "NAME, TAG or GLOB (else all)"))
    .summary("what keeps this machine or a node from working, and what to do")
    .description(
      "Looks at this machine and at every node for what keeps jobs from running: programs, host keys, python, work folder, clock, log-in settings, GPUs. Nothing is changed.",
    )
    .addHelpText(
      "after",
      "\nExamples:\n  muster doctor\n  muster doctor rig-6600 zeus\n  muster doctor rigs --json\n\nExit: 0 all is well, 2 something is to be mended, 3 some nodes could not be looked at, 64/65 wrong usage/file, 69 no usable node",
    )
    .action((names, options) => done(import("./doctor.js").then(({ doctor }) => doctor(names, options, writers))));
}

function addNodes(muster: Command, done: SetResult): void {
  addCommonOptions(muster.command("nodes"))
    .summary("what each node has: GPUs, memory, python, host key")
    .description("Connects to every node and shows what is there. Nothing is changed or left on a node.")
    .addHelpText("after", "\nExamples:\n  muster nodes\n  muster nodes --limit rigs --json")
    .action((options) => done(import("./nodes.js").then(({ nodes }) => nodes(options, writers))));
}

function addValidate(muster: Command, done: SetResult): void {
  addCommonOptions(muster.command("validate").argument("<files...>", "inventories, jobs, jobs files, pipelines"))
    .summary("check files without connecting to anything")
    .description("Checks files and says what is wrong, with file, line and column.")
    .addHelpText("after", "\nExamples:\n  muster validate inventory.yaml\n  muster validate jobs/*.yaml --json")
    .action((files, options) =>
      done(import("./validate.js").then(({ validate }) => validate(files, options, writers))),
    );
}

/** Adds all verbs. Each is loaded only when it is asked for: start-up counts. */
export function addCommands(muster: Command, done: SetResult): void {
  for (const add of [
    addRun,
    addProvision,
    addVerify,
    addStatus,
    addReport,
    addCancel,
    addLogs,
    addSchedule,
    addDoctor,
    addNodes,
    addValidate,
  ])
    add(muster, done);
}
