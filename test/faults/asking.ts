import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { startMuster, type TestFolder } from "../cli/startmuster.js";
import { watchMuster } from "./knownjob.js";

/** Reports a value a step and saves a partial output; it ends at the step `steps`, and exits with 0 when it is ended before. */
const WORKER = `import signal, sys, time
import muster
for chunk in muster.chunks():
    n, steps, pause = int(chunk.args[0]), int(chunk.args[1]), float(chunk.args[2])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for step in range(steps):
        chunk.report(step, n + step / 1000)
        chunk.write("partial.json", {"n": n, "step": step})
        time.sleep(pause)
    chunk.write("whole.json", {"n": n})
`;

/** Writes down what it is told, and stops each chunk that `decide` names. */
const ASK = `import json, os, sys
sys.path.insert(0, os.getcwd())
from decide import decide
heard = open("heard.ndjson", "a", buffering=1)
heard.write(json.dumps({"life": os.getpid()}) + "\\n")
print("asking", file=sys.stderr)
for line in sys.stdin:
    heard.write(line)
    for answer in decide(json.loads(line)):
        print(json.dumps(answer), flush=True)
`;

/** A line that the program was told. */
export interface Heard {
  life?: number;
  id?: string;
  step?: number;
  value?: number | null;
  output?: unknown;
  stopped?: boolean;
  failure?: string;
  values?: [number, number | null][];
  params?: Record<string, unknown>;
  refused?: string;
  reason?: string;
  want?: number;
  task?: { id: string };
}

/** A job whose chunks report values, with a program that hears them. */
export class AskingJob {
  readonly folder: string;
  readonly run: string;
  private readonly file: string;

  /** `decide`: the body of a Python function of what was heard (`told`), which returns a list of answers. */
  constructor(
    shop: TestFolder,
    readonly name: string,
    private readonly inventory: string,
    decide: string,
    job: Record<string, unknown>,
  ) {
    this.folder = join(shop.folder, name);
    this.run = join(this.folder, "run");
    shop.write(join(name, "worker.py"), WORKER);
    shop.write(join(name, "ask.py"), ASK);
    const body = decide
      .trim()
      .split("\n")
      .map((line) => `    ${line}\n`)
      .join("");
    shop.write(join(name, "decide.py"), `state = {}\ndef decide(told):\n${body}`);
    const base = { name, script: "worker.py", ask: ["python3", "ask.py"], outputs: ["partial.json", "whole.json"] };
    this.file = shop.write(join(name, "job.yaml"), { ...base, ...job });
  }

  start(env: Record<string, string> = {}, options: string[] = ["--json"]) {
    const words = ["run", this.file, "-i", this.inventory, "--out", this.run, ...options];
    return watchMuster(startMuster(words, { cwd: this.folder, env }));
  }

  /** What the program was told in each of its lives. */
  lives(): Heard[][] {
    const file = join(this.folder, "heard.ndjson");
    const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : [];
    const lives: Heard[][] = [];
    for (const line of lines) {
      const told = JSON.parse(line) as Heard;
      if (told.life !== undefined) lives.push([]);
      else lives.at(-1)!.push(told);
    }
    return lives;
  }

  /** The lines of results.ndjson. */
  results(): { chunk: string; stopped?: boolean; values?: [number, number][]; output: unknown }[] {
    const text = readFileSync(join(this.run, "results.ndjson"), "utf8");
    return text
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }
}
