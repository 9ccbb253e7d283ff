import type { Situation } from "./situation.js";

/** A job that is valid but for the lines that follow. */
const HEAD = "kind: range\nrange: [0, 10]\n";
const RUN = 'command: [tool, "{start}", r.txt]\n';

function job(title: string, text: string, more: Record<string, unknown> = {}): Situation {
  return { title, files: { "job.yaml": text, ...more }, steps: [["validate", "job.yaml"]] };
}

function inventory(title: string, text: string): Situation {
  return { title, files: { "inventory.yaml": text }, steps: [["validate", "inventory.yaml"]] };
}

function pipeline(title: string, text: string): Situation {
  return { title, files: { "pipeline.yaml": text }, steps: [["validate", "pipeline.yaml"]] };
}

/** A file is invalid. */
export const INVALID_FILES: Situation[] = [
  job("an empty job file", ""),
  job("a job that is not YAML", `${HEAD}command: [tool\n`),
  job("a tab in YAML", `${HEAD}needs:\n\tvendor: amd\n`),
  {
    title: "JSON with a comma too many",
    files: { "job.json": '{"kind": "range",}' },
    steps: [["validate", "job.json"]],
  },
  job("a misspelt key", `${HEAD}${RUN}retires: {attempts: 2}\n`),
  job("a key of the wrong type", `${HEAD}${RUN}retry: 3\n`),
  job("a duration that is none", `${HEAD}${RUN}timeout: 5 minutes\n`),
  job("a kind that does not exist", `kind: rnage\nrange: [0, 10]\n${RUN}`),
  job("a range from the larger to the smaller", `kind: range\nrange: [10, 0]\n${RUN}`),
  job("no program", HEAD),
  job("a script that does not exist", `${HEAD}script: work.py\n`, { "worker.py": "" }),
  job("a script that cannot be started", `${HEAD}script: work\n`, { work: "echo hi\n" }),
  job("an input that does not exist", `${HEAD}${RUN}inputs: [data.csv]\n`),
  job("a placeholder that does not exist", `${HEAD}command: [tool, "{strat}"]\n`),
  job("an output with an absolute path", `${HEAD}${RUN}outputs: [/tmp/r.txt]\n`),
  job("an output with alternatives", `${HEAD}${RUN}outputs: ["*.{png,jpg}"]\n`),
  job(
    "an aggregate of an unknown output",
    `${HEAD}${RUN}outputs: [r.txt]\naggregate: {from: s.txt, as: array, to: all.json}\n`,
  ),
  job("two tasks with one id", "kind: tasks\ncommand: [tool]\ntasks: [{id: a}, {id: a}]\n"),
  job("an output that nothing mentions", `${HEAD}command: [tool, "{start}"]\noutputs: [result.json]\n`),
  {
    title: "a file of secrets that others can read",
    files: { "job.yaml": `${HEAD}${RUN}env_file: job.env\n`, "job.env": "TOKEN=1\n" },
    modes: { "job.env": 0o644 },
    steps: [["validate", "job.yaml"]],
  },
  inventory("a node without a host: its name is the host", "nodes: {rig: {user: me}}\n"),
  inventory(
    "a profile that does not exist",
    "nodes: {rig: {host: rig, profile: rx660}}\nprofiles: {rx6600: {vendor: amd}}\n",
  ),
  inventory(
    "a power limit in a unit that does not exist",
    "profiles: {rx6600: {vendor: amd, power: 0.1kW}}\nnodes: {rig: {host: rig, profile: rx6600}}\n",
  ),
  inventory("a misspelt key of a node", "nodes: {rig: {host: rig, gpu: 8}}\n"),
  pipeline("steps that need each other", "steps:\n  a: {command: [x], needs: [b]}\n  b: {command: [x], needs: [a]}\n"),
  pipeline(
    "a step that needs an unknown one",
    "steps:\n  fetch: {command: [x]}\n  b: {command: [x], needs: [fecth]}\n",
  ),
  pipeline("a step whose job does not exist", "steps:\n  a: {job: jobs/a.yaml}\n"),
  pipeline("a playbook that does not exist", "steps:\n  a: {provision: [ramdsik]}\n"),
  pipeline("a schedule that cron does not know", "schedule: at noon\nsteps:\n  a: {command: [x]}\n"),
];
