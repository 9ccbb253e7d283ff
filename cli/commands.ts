import { type Command, Option } from "commander";
import { formatHelpDetails } from "./helptext.js";
import { terminal as writers } from "./terminal.js";

/** Receives what a command resolves with: the exit status. */
export type SetResult = (result: Promise<number>) => void;

const appendValue = (value: string, before: string[] = []): string[] => [...before, value];

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

/** `hidden`: the common options that mean nothing to the command. */
function addCommonOptions(command: Command, hidden: readonly (keyof typeof COMMON_OPTIONS)[] = []): Command {
  for (const [name, [flags, meaning]] of Object.entries(COMMON_OPTIONS))
    command.addOption(new Option(flags, meaning).hideHelp(hidden.includes(name as keyof typeof COMMON_OPTIONS)));
  return command;
}

function addRun(muster: Command, setResult: SetResult): void {
  addCommonOptions(muster.command("run").argument("<file>", "a job or a pipeline (see docs/reference.md)"))
    .summary("run or resume a job or a pipeline")
    .description(
      "Runs a job, or the steps of a pipeline, on the nodes of the inventory and collects every result once. Run the same command again to resume it.",
    )
    .option("--out <dir>", "the run directory (default: runs/NAME beside the job file)")
    .option("--results <dir>", "publish results there instead of in the run directory")
    .option(
      "--overwrite",
      "with a folder of results: replace files that the run did not publish (pipeline: in all steps)",
    )
    .option("--fresh", "start a new run beside an earlier one, which stays as it is")
    .option("--adopt", "stop what another copy of the run directory runs on the nodes, and continue here")
    .option("--provision", "provision nodes that have drifted from the job's playbooks")
    .option("--plan", "show what would run where, and run nothing")
    .option("--set <key=value>", "change a parameter of the job (params.key), or another key", appendValue)
    .option("--range <start:end>", "another range, half-open")
    .option("--from <step>", "pipeline: only this step and its dependents")
    .option("--only <step>", "pipeline: only this step")
    .option("--metrics <file>", "write metrics for Prometheus (textfile collector of node_exporter) at the end")
    .option("--cron", "pipeline: print nothing on success, name the run directory after the time, run one at a time")
    .option("--overlap <policy>", "with --cron, while another run of the pipeline is active: skip | wait | fail")
    .option("--lock-wait <time>", "with --overlap wait: the longest time to wait, e.g. 10m")
    .addHelpText(
      "after",
      formatHelpDetails(
        [
          "muster run sieve.yaml --range 0:4294967296",
          "muster run scoring_jobs.json --results . --limit rigs",
          "muster run trials.yaml --set sample_size=350 --fresh",
        ],
        [
          ["0", "done"],
          ["3", "some chunks failed, or the run stopped; the rest is kept"],
          ["64, 65", "wrong usage, an invalid file"],
          ["69", "no usable node"],
          ["75", "locked by another run"],
          ["130", "interrupted; the same command resumes it"],
        ],
      ),
    )
    .action((file, options) => setResult(import("./run.js").then(({ run }) => run(file, options, writers))));
}

function addProvision(muster: Command, setResult: SetResult): void {
  addCommonOptions(
    muster.command("provision").argument("[playbooks...]", "playbooks (default: those that the inventory lists)"),
  )
    .summary("bring nodes into the state that their playbooks describe")
    .description(
      "Probes every node, changes what differs, and probes again to verify the change. A second run changes nothing.",
    )
    .option("--check", "only show what would change (the same as verify)")
    .option("--diff", "show the differences of files")
    .option("--if-rebooted", "only nodes that have rebooted since their last successful provision")
    .option("--lock-wait <time>", "the longest time to wait for another provision of a node (default: 60s)")
    .addHelpText(
      "after",
      formatHelpDetails(
        [
          "muster provision --check --diff",
          "muster provision ramdisk --limit rigs --if-rebooted",
          "muster provision rocm-env kernel-params",
        ],
        [
          ["0", "in sync"],
          ["2", "drift (--check)"],
          ["3", "some nodes or resources failed, or need a reboot"],
          ["64, 65", "wrong usage, an invalid file"],
          ["69", "no usable node"],
          ["75", "locked by another provision"],
        ],
      ),
    )
    .action((names, options) =>
      setResult(import("./provision.js").then(({ provision }) => provision(names, options, writers))),
    );
}

function addVerify(muster: Command, setResult: SetResult): void {
  addCommonOptions(
    muster.command("verify").argument("[playbooks...]", "playbooks (default: those that the inventory lists)"),
  )
    .summary("report how nodes differ from what their playbooks describe")
    .description("Probes every node and reports drift. Nothing is changed or left on a node.")
    .option("--diff", "show the differences of files")
    .option("--metrics <file>", "write metrics for Prometheus (textfile collector of node_exporter)")
    .addHelpText(
      "after",
      formatHelpDetails(
        ["muster verify", "muster verify ramdisk --limit rigs --diff", "muster verify --json"],
        [
          ["0", "in sync"],
          ["2", "drift"],
          ["3", "some nodes or resources could not be probed"],
          ["64, 65", "wrong usage, an invalid file"],
          ["69", "no usable node"],
        ],
      ),
    )
    .action((names, options) => setResult(import("./verify.js").then(({ verify }) => verify(names, options, writers))));
}

function addStatus(muster: Command, setResult: SetResult): void {
  addCommonOptions(muster.command("status").argument("[dir]", "a run, or a folder of runs (default: ./runs)"), [
    "inventory",
    "limit",
    "quiet",
    "verbose",
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
    .addHelpText(
      "after",
      formatHelpDetails(
        [
          "muster report runs/sieve",
          "muster report sieve --html sieve.html",
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
      "Ends the run of a job or a pipeline: its coordinator, if it is alive, and everything on its nodes. Results are kept; `muster run` resumes the run.",
    )
    .addHelpText(
      "after",
      formatHelpDetails(
        ["muster cancel", "muster cancel runs/sieve", "muster cancel sieve -i inventory.yaml --limit rig-6600"],
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
      .argument("<chunk>", "the id of the chunk"),
    ["inventory", "limit", "quiet", "verbose"],
  )
    .summary("show what a chunk printed")
    .description("Prints the stdout and stderr of a chunk.")
    .option("--out", "only stdout")
    .option("--err", "only stderr")
    .addHelpText(
      "after",
      formatHelpDetails(
        [
          "muster logs sieve 0-10000",
          "muster logs runs/trials trial=3 --err",
          "muster logs analysis/predict command    the command of a pipeline step",
        ],
        [],
      ),
    )
    .action((run, chunk, options) =>
      setResult(import("./logs.js").then(({ logs }) => logs(run, chunk, options, writers))),
    );
}

function addSchedule(muster: Command, setResult: SetResult): void {
  addCommonOptions(
    muster
      .command("schedule")
      .argument("<action>", "show, install or remove")
      .argument("<pipelines...>", "pipelines with a `schedule`"),
    ["limit", "verbose"],
  )
    .summary("show, install or remove crontab entries that start pipelines")
    .description(
      "Shows when cron starts a pipeline or its steps, and adds these entries to your crontab or removes them. Other lines of the crontab are not changed.",
    )
    .addHelpText(
      "after",
      formatHelpDetails(
        [
          "muster schedule show nightly.yaml",
          "muster schedule install nightly.yaml -i inventory.yaml",
          "muster schedule remove nightly.yaml",
        ],
        [],
      ),
    )
    .action((action, files, options) =>
      setResult(import("./schedule.js").then(({ schedule }) => schedule(action, files, options, writers))),
    );
}

function addDoctor(muster: Command, setResult: SetResult): void {
  addCommonOptions(muster.command("doctor").argument("[nodes...]", "NAME, TAG or GLOB (default: all nodes)"), [
    "verbose",
  ])
    .summary("find out why this machine or a node cannot run jobs, and how to repair it")
    .description(
      "Checks this machine and every node for problems that keep jobs from running: programs, host keys, Python, work folder, clock, login settings, GPUs. Nothing is changed.",
    )
    .addHelpText(
      "after",
      formatHelpDetails(
        ["muster doctor", "muster doctor rig-6600 zeus", "muster doctor rigs --json"],
        [
          ["0", "everything is in order"],
          ["2", "something needs repair"],
          ["3", "some nodes could not be checked"],
          ["64, 65", "wrong usage, an invalid file"],
          ["69", "no usable node"],
        ],
      ),
    )
    .action((names, options) => setResult(import("./doctor.js").then(({ doctor }) => doctor(names, options, writers))));
}

function addNodes(muster: Command, setResult: SetResult): void {
  addCommonOptions(muster.command("nodes"))
    .summary("show the GPUs, memory, Python and host key of each node")
    .description("Connects to every node and shows its hardware and system. Nothing is changed or left on a node.")
    .addHelpText("after", formatHelpDetails(["muster nodes", "muster nodes --limit rigs --json"], []))
    .action((options) => setResult(import("./nodes.js").then(({ nodes }) => nodes(options, writers))));
}

function addValidate(muster: Command, setResult: SetResult): void {
  addCommonOptions(muster.command("validate").argument("<files...>", "inventories, jobs, jobs files, pipelines"), [
    "limit",
    "verbose",
  ])
    .summary("check files without connecting to any node")
    .description("Checks files, and reports each problem with file, line and column.")
    .addHelpText(
      "after",
      formatHelpDetails(
        ["muster validate inventory.yaml", "muster validate jobs/*.yaml --json"],
        [
          ["0", "all files are valid"],
          ["65", "a file is invalid"],
        ],
      ),
    )
    .action((files, options) =>
      setResult(import("./validate.js").then(({ validate }) => validate(files, options, writers))),
    );
}

/** Adds all commands. Each one's code is loaded only when it is run, which keeps the start fast. */
export function addCommands(muster: Command, setResult: SetResult): void {
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
    add(muster, setResult);
}
