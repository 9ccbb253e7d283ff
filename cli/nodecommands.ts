import type { Command } from "commander";
import { addBootstrap } from "./bootstrapcommand.js";
import { addCommonOptions, type SetResult } from "./commonoptions.js";
import { formatHelpDetails } from "./helptext.js";
import { terminal as writers } from "./terminal.js";

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
    .option("--serial <count>", "this many nodes at once, or a share of them (25%), and stop where one fails")
    .option("--max-fail <count>", "with --serial: how many nodes may fail before it stops (default: 0)")
    .option(
      "--reboot",
      "drain and reboot nodes that need it, one after the other unless --serial says more, then continue",
    )
    .option(
      "--reboot-wait <time>",
      "with --reboot: wait so long for chunks, then for the node to return (default: 10m)",
    )
    .option(
      "--idle-wait <time>",
      "wait so long for chunks where a change needs an idle node, e.g. a new driver (default: 10m)",
    )
    .option("--heal", "first heal nodes that stay away or have sick GPUs, as `heal` of the inventory says")
    .option("--plan", "with --heal: only show what would be healed")
    .option("--metrics <file>", "with --heal: write metrics for Prometheus (textfile collector of node_exporter)")
    .option("--lock-wait <time>", "the longest time to wait for another provision of a node (default: 60s)")
    .addHelpText(
      "after",
      formatHelpDetails(
        [
          "muster provision --check --diff",
          "muster provision ramdisk --limit rigs --if-rebooted",
          "muster provision rocm-env kernel-params",
          "muster provision packages --serial 1",
          "muster provision rocm --limit rigs --serial 1 --reboot",
          "muster provision kernel-params --limit rigs --reboot",
          "muster provision --heal --plan",
        ],
        [
          ["0", "in sync"],
          ["2", "drift (--check)"],
          ["3", "some nodes, resources or healings failed, or need a reboot"],
          ["64, 65", "wrong usage, an invalid file"],
          ["69", "no usable node"],
          ["75", "locked by another provision, or another muster heals"],
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

function addDoctor(muster: Command, setResult: SetResult): void {
  addCommonOptions(muster.command("doctor").argument("[nodes...]", "NAME, TAG or GLOB (default: all nodes)"))
    .summary("find out why this machine or a node cannot run jobs, and how to repair it")
    .description(
      "Checks this machine, every node and every cluster for problems that keep jobs from running: programs, host keys, Python, work folder, clock, login settings, GPUs; of clusters, what Slurm would refuse. Nothing is changed.",
    )
    .option("--submit", "run one pilot on each cluster for a moment, and check its compute node")
    .addHelpText(
      "after",
      formatHelpDetails(
        ["muster doctor", "muster doctor rig-6600 zeus", "muster doctor rigs --json", "muster doctor hpc --submit"],
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
  addCommonOptions(muster.command("nodes").argument("[nodes...]", "NAME, TAG or GLOB (default: all nodes)"))
    .summary("show the GPUs, memory, Python and host key of each node")
    .description(
      "Connects to every node and shows its hardware and system; of clusters, what Slurm says of their partition and queue. Nothing is changed or left on a node.",
    )
    .addHelpText("after", formatHelpDetails(["muster nodes", "muster nodes rig-6600", "muster nodes rigs --json"], []))
    .action((names, options) => setResult(import("./nodes.js").then(({ nodes }) => nodes(names, options, writers))));
}

function addTop(muster: Command, setResult: SetResult): void {
  addCommonOptions(muster.command("top").argument("[run]", "a run, or a folder with runs (default: here, and ./runs)"))
    .summary("watch the GPUs of all nodes, and what runs on them")
    .description(
      "Shows for each GPU the chunk that runs on it, how busy it is, its memory, power and temperature, every two seconds until q is pressed. In a pipe, and with --json, it looks once. Nothing is changed or left on a node.",
    )
    .addHelpText(
      "after",
      formatHelpDetails(
        ["muster top", "muster top sieve --limit rigs", "muster top --json"],
        [
          ["0", "every node answered, or q was pressed"],
          ["3", "some nodes did not answer"],
          ["64, 65", "wrong usage, an invalid inventory"],
          ["69", "no node answered"],
        ],
      ),
    )
    .action((run, options) => setResult(import("./top.js").then(({ top }) => top(run, options, writers))));
}

function addExec(muster: Command, setResult: SetResult): void {
  addCommonOptions(muster.command("exec").argument("<command...>", "a program and its arguments"), ["verbose"])
    .summary("run a command on every node, side by side")
    .description(
      "Runs a program on every node and shows what it prints, by node; nodes with the same output are shown once. Arguments arrive as they are: there is no shell, unless the program is one.",
    )
    .passThroughOptions()
    .option("--stream", "print lines as they arrive, each after the name of its node")
    .option("--stdin", "give the program this command's stdin")
    .option("--become", "run it as root (sudo -n)")
    .option("--timeout <time>", "kill it on a node after this time", "1h")
    .addHelpText(
      "after",
      formatHelpDetails(
        [
          "muster exec uptime",
          "muster exec --limit rigs -- sh -c 'dmesg | tail -3'",
          "muster exec --become --stream --timeout 10m -- apt-get update",
        ],
        [
          ["0", "it succeeded on every node"],
          ["3", "it failed on a node, or a node could not be reached"],
          ["64, 65", "wrong usage, an invalid inventory"],
          ["69", "no usable node"],
          ["130", "interrupted: it is killed on every node"],
        ],
      ),
    )
    .action((command, options) => setResult(import("./exec.js").then(({ exec }) => exec(command, options, writers))));
}

function addBench(muster: Command, setResult: SetResult): void {
  addCommonOptions(muster.command("bench").argument("[nodes...]", "NAME, TAG or GLOB (default: all nodes with GPUs)"), [
    "verbose",
  ])
    .summary("measure GPUs: alone, at full load, at power limits; find slow and faulty ones")
    .description(
      "Runs a short load on each GPU: alone, with all GPUs of its node at once, and, with --caps, at several power limits. Proposes `rate` and `power` for the inventory as a diff, and names GPUs that are slow beside others of their model, or that compute wrongly. The built-in load needs OpenCL on the node; --job runs the first chunk of a job of yours instead. Nodes in use are left out.",
    )
    .option("--job <file>", "measure the first chunk of this job, whose results are compared between GPUs")
    .option("--range <start:end>", "with --job: this range of it, as one chunk")
    .option("--time <time>", "how long the built-in load computes in each pass", "10s")
    .option("--caps <watts>", "power limits to measure, e.g. 80W,100W,120W, or auto; they are restored afterwards")
    .option("--burn <time>", "let all GPUs compute this long at once, e.g. 10m, to find those that compute wrongly")
    .option("--out <dir>", "the folder of what was measured (default: runs/bench-TIME)")
    .addHelpText(
      "after",
      formatHelpDetails(
        [
          "muster bench",
          "muster bench rig-6600 --caps auto",
          "muster bench rigs --burn 10m",
          "muster bench --job sieve.yaml --range 0:5000000",
          "muster bench --job sieve.yaml -q --out new && patch -p1 < new/inventory.diff",
        ],
        [
          ["0", "all GPUs were measured"],
          ["3", "some GPUs or nodes could not be measured, or compute wrongly"],
          ["64, 65", "wrong usage, an invalid file"],
          ["69", "no usable node"],
          ["75", "all nodes are in use"],
          ["130", "interrupted: the load is ended, and power limits are restored"],
        ],
      ),
    )
    .action((nodes, options) => setResult(import("./bench.js").then(({ bench }) => bench(nodes, options, writers))));
}

function addCache(muster: Command, setResult: SetResult): void {
  addCommonOptions(muster.command("cache").argument("[action]", "show (default) or prune"))
    .summary("show or prune what runs keep on nodes: inputs, projects and builds")
    .description(
      "Inputs, scripts, projects and builds stay in WORKDIR/cache of a node, and later runs use them again. `prune` removes what was used longest ago until the cache is within its budget (`cache` in the inventory). What a run uses now stays.",
    )
    .option("--all", "prune: remove everything that no run uses now")
    .addHelpText(
      "after",
      formatHelpDetails(
        [
          "muster cache",
          "muster cache -v --limit rigs",
          "muster cache prune",
          "muster cache prune --all --limit rig-6600",
        ],
        [
          ["0", "done"],
          ["3", "some nodes or caches could not be used"],
          ["64, 65", "wrong usage, an invalid file"],
          ["69", "no usable node"],
        ],
      ),
    )
    .action((action, options) => setResult(import("./cache.js").then(({ cache }) => cache(action, options, writers))));
}

function addDrain(muster: Command, setResult: SetResult): void {
  addCommonOptions(muster.command("drain").argument("[nodes...]", "NAME, TAG or GLOB (default: list drained nodes)"), [
    "limit",
    "verbose",
  ])
    .summary("give nodes no new chunks, for maintenance, or list such nodes")
    .description(
      "Keeps nodes from getting new chunks, of all runs; runs that are running learn of it within a second. Chunks that run there finish. Drains are kept in .muster-drain.json beside the inventory.",
    )
    .option("--reason <text>", "why; every command that shows nodes shows it")
    .option("--until <time>", "when it ends by itself: 2h, 18:00, or a date such as 2026-12-01")
    .option("--now", "stop running chunks, too: TERM, then KILL after the job's grace; they run elsewhere")
    .addHelpText(
      "after",
      formatHelpDetails(
        ['muster drain rig-6600 --reason "new fans" --until 18:00', "muster drain rigs --now", "muster drain"],
        [
          ["0", "done"],
          ["64, 65", "wrong usage, an invalid inventory"],
        ],
      ),
    )
    .action((nodes, options) => setResult(import("./drain.js").then(({ drain }) => drain(nodes, options, writers))));
}

function addUndrain(muster: Command, setResult: SetResult): void {
  addCommonOptions(muster.command("undrain").argument("<nodes...>", "NAME, TAG or GLOB"), ["limit", "verbose"])
    .summary("end the drain of nodes")
    .description("Lets drained nodes get chunks again; runs that are running learn of it within a second.")
    .addHelpText(
      "after",
      formatHelpDetails(
        ["muster undrain rig-6600", "muster undrain '*'"],
        [
          ["0", "done"],
          ["64, 65", "wrong usage, an invalid inventory"],
        ],
      ),
    )
    .action((nodes, options) =>
      setResult(import("./drain.js").then(({ undrain }) => undrain(nodes, options, writers))),
    );
}

/** Adds the commands that look at nodes, or bring them into their state. */
export function addNodeCommands(muster: Command, setResult: SetResult): void {
  for (const add of [
    addProvision,
    addVerify,
    addDoctor,
    addNodes,
    addBootstrap,
    addTop,
    addExec,
    addBench,
    addCache,
    addDrain,
    addUndrain,
  ])
    add(muster, setResult);
}
