import { type Command, Option } from "commander";
import { UsageError } from "../schemas/errors.js";
import { addCommonOptions, appendValue, type SetResult } from "./commonoptions.js";
import { formatHelpDetails } from "./helptext.js";
import { addNodeCommands } from "./nodecommands.js";
import type { RunCommandOptions } from "./options.js";
import { addRunCommands } from "./runcommands.js";
import { terminal as writers } from "./terminal.js";

function addRun(muster: Command, setResult: SetResult): void {
  addCommonOptions(
    muster
      .command("run")
      .argument("[file]", "a job or a pipeline (see docs/reference.md); - = a job in JSON from stdin"),
  )
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
    .option(
      "--detach",
      "run in the background, and return once a node is attached, or a pilot submitted (see muster attach)",
    )
    .option("--resume-all <dir>", "resume the detached runs in this folder that were interrupted; for @reboot")
    .addOption(new Option("--background <how>").choices(["new", "resumed"]).hideHelp())
    .option("--set <key=value>", "change a parameter of the job (params.key), or another key", appendValue)
    .option("--range <start:end>", "another range, half-open")
    .option("--json-lines", "print a line of JSON for each result when it is committed, and one for the end")
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
          "muster run --detach sieve.yaml",
          "muster run - --json-lines < job.json     results as lines of JSON",
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
    .action((file, options) => setResult(startRun(file, options)));
}

/** Runs a file: here, in the background, or as the process in the background. */
async function startRun(file: string | undefined, options: RunCommandOptions): Promise<number> {
  const { resumeAll: folder } = options;
  if (folder !== undefined) {
    const { resumeAll } = await import("./resumeall.js");
    return resumeAll(file, { ...options, resumeAll: folder }, writers);
  }
  if (file === undefined) throw new UsageError("run: name a job or a pipeline", "For example: muster run job.yaml");
  if (file === "-" && (options.detach || options.background))
    throw new UsageError(
      "--detach needs a file, because the run in the background reads it again",
      "Write the job to a file.",
    );
  if (options.detach) return (await import("./detach.js")).detach(file, options, writers);
  if (options.background) return (await import("./runinbackground.js")).runInBackground(file, options, writers);
  return (await import("./run.js")).run(file, options, writers);
}

function addMap(muster: Command, setResult: SetResult): void {
  addCommonOptions(muster.command("map").argument("<command...>", "a program and its arguments, then ::: and values"), [
    "verbose",
  ])
    .summary("run a program once for each value, as GNU parallel does")
    .description(
      "Runs a program on the nodes once for each value: those after :::, the lines of files after ::::, the rows of a CSV file, numbers, or the lines of stdin; of several :::, every combination. {} is the value, {.} without its extension, {/} its last part, {//} its folder, {/.} both, {#} its number; {1} {2.} or {column/.} one of several. Without {}, the value comes last. A single word with spaces is a line for the shell. What the program prints is printed; the job file is kept in the run directory.",
    )
    .passThroughOptions()
    .option(
      "-o, --output <pattern>",
      "collect this file instead of stdout (repeatable), with the same placeholders",
      appendValue,
    )
    .option("-k, --keep-order", "print what the program printed in the order of the values")
    .option("-0, --null", "values on stdin end with NUL characters")
    .option("--csv <file>", "values from a CSV file (- for stdin), whose first row names them")
    .option("--count <n>", "the values are the numbers from 0 to N - 1")
    .option("--name <name>", "the name of the run (default: that of the program)")
    .option("--out <dir>", "the run directory (default: runs/NAME, or runs/NAME-2 and so on for other values)")
    .option("--results <dir>", "publish results there instead of in the run directory")
    .option("--overwrite", "with a folder of results: replace files that the run did not publish")
    .option("--fresh", "start a new run, even if there is one with the same values")
    .option("--needs <key=value>", "what nodes need, as `needs` of a job has it (repeatable)", appendValue)
    .option("--timeout <time>", "end the program after this time, e.g. 10m")
    .option(
      "--halt <count>",
      "stop when so many values have failed: a number, or a share such as 10%; `never`: not even where the first ones fail alike",
    )
    .option("--dry-run", "print the commands, and run nothing")
    .addHelpText(
      "after",
      formatHelpDetails(
        [
          "muster map ./score.py --input {} ::: data/*.json",
          "muster map -o {.}.png blender -b {} -o {.}.png ::: scenes/*.blend",
          "muster map -k ./train.py --lr {1} --depth {2} ::: 0.1 0.01 ::: 4 8 16",
          "muster map --csv grid.csv ./train.py --lr {lr} --seed {seed}",
          "muster map --count 100 ./train.py --seed {}",
          "find data -name '*.gz' -print0 | muster map -0 'zcat {} | wc -l'",
        ],
        [
          ["0", "done"],
          ["3", "it failed for some values; the rest is kept"],
          ["64, 65", "wrong usage, an invalid inventory"],
          ["69", "no usable node"],
          ["130", "interrupted; the same command resumes it"],
        ],
      ),
    )
    .action((words, options) => setResult(import("./map.js").then(({ map }) => map(words, options, writers))));
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

function addInit(muster: Command, setResult: SetResult): void {
  addCommonOptions(
    muster
      .command("init")
      .argument("[what]", "inventory, job, pipeline or playbook", "inventory")
      .argument("[words...]", "inventory: hosts, [USER@]HOST[:PORT]; job: its script; playbook: its name"),
    ["inventory", "limit", "verbose"],
  )
    .summary("write an inventory, a job, a pipeline or a playbook to start from")
    .description(
      "Writes a file with comments. An inventory has what each machine says about its GPUs. A job without a script gets a small one. A playbook comes with what an editor needs to know its types. Files that exist are not replaced.",
    )
    .option(
      "-o, --output <file>",
      "the file (default: inventory.yaml, job.yaml, pipeline.yaml or playbooks/NAME.ts); - prints it",
    )
    .option("--kind <kind>", "job: range, tasks, matrix, shards or queue (default: range)")
    .option("--from <file>", "inventory: the machines of a distributed_config.json")
    .addHelpText(
      "after",
      formatHelpDetails(
        [
          "muster init inventory rig1 me@10.0.0.4:2222 localhost",
          "muster init inventory --from distributed_config.json",
          "muster init job score.py --kind tasks",
          "muster init pipeline -o nightly.yaml",
          "muster init playbook workspace",
        ],
        [
          ["0", "written"],
          ["3", "written, but some machine could not be asked"],
          ["64, 65", "wrong usage, the file exists; an invalid file"],
          ["69", "no machine could be asked"],
        ],
      ),
    )
    .action((what, words, options) =>
      setResult(import("./init.js").then(({ init }) => init(what, words, options, writers))),
    );
}

function addCompletion(muster: Command, setResult: SetResult): void {
  muster
    .command("completion")
    .argument("<shell>", "bash, zsh or fish")
    .option("--json", "print an error as one JSON document, too")
    .summary("print the completion script of a shell")
    .description("Prints the script that completes muster's commands, options and runs in a shell.")
    .addHelpText(
      "after",
      formatHelpDetails(
        [
          "muster completion bash > ~/.local/share/bash-completion/completions/muster",
          "muster completion fish > ~/.config/fish/completions/muster.fish",
          "source <(muster completion zsh)",
        ],
        [],
      ),
    )
    .action((shell) =>
      setResult(import("./completion.js").then(({ completion }) => completion(muster, shell, writers))),
    );
}

/** Adds all commands. Each one's code is loaded only when it is run, which keeps the start fast. */
export function addCommands(muster: Command, setResult: SetResult): void {
  addRun(muster, setResult);
  addMap(muster, setResult);
  addRunCommands(muster, setResult);
  addNodeCommands(muster, setResult);
  addSchedule(muster, setResult);
  addValidate(muster, setResult);
  addInit(muster, setResult);
  addCompletion(muster, setResult);
}
