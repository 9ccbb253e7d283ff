import type { Situation } from "./situation.js";

const JOB = "kind: range\nrange: [0, 10]\ncommand: [sh, -c, 'echo $0 > r.txt', \"{start}\"]\noutputs: [r.txt]\n";
const PIPELINE = "steps:\n  a: {command: [echo, hi]}\n";
const files = { "job.yaml": JOB, "pipeline.yaml": PIPELINE };

/** The command line is wrong. */
export const WRONG_USAGE: Situation[] = [
  { title: "a command that does not exist", steps: [["rnu", "job.yaml"]] },
  { title: "a misspelt option", files, steps: [["run", "job.yaml", "--fersh"]] },
  { title: "no job file", files, steps: [["run"]] },
  { title: "a job file that does not exist", files, steps: [["run", "jobs.yaml"]] },
  { title: "a folder as the job file", files: { "jobs/job.yaml": JOB }, steps: [["run", "jobs"]] },
  { title: "a program as the job file", files: { "w.py": "print({1: 2})\n" }, steps: [["run", "w.py"]] },
  { title: "a README as the job file", files: { "README.md": "# Title\n\ntext\n" }, steps: [["run", "README.md"]] },
  { title: "the inventory as the job file", files, steps: [["run", "inventory.yaml"]] },
  { title: "--set without a value", files, steps: [["run", "job.yaml", "--set", "n"]] },
  { title: "--set of something unknown", files, steps: [["run", "job.yaml", "--set", "chunk_size=4"]] },
  { title: "a range that is none", files, steps: [["run", "job.yaml", "--range", "1-100"]] },
  { title: "a node that does not exist", files, steps: [["run", "job.yaml", "--limit", "hree"]] },
  { title: "every node left out", files, steps: [["run", "job.yaml", "--limit", "!here"]] },
  { title: "--cron with a job", files, steps: [["run", "job.yaml", "--cron"]] },
  { title: "a step that does not exist", files, steps: [["run", "pipeline.yaml", "--only", "b"]] },
  { title: "--overwrite without a folder of results", files, steps: [["run", "job.yaml", "--overwrite"]] },
  { title: "--lock-wait without --cron", files, steps: [["run", "pipeline.yaml", "--lock-wait", "5m"]] },
  { title: "an inventory that does not exist", files, steps: [["run", "job.yaml", "-i", "cluster.yaml"]] },
  { title: "an error with --json", files, steps: [["run", "job.yaml", "--limit", "hree", "--json"]] },
];
