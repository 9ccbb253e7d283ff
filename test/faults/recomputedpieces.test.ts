import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { startMuster } from "../cli/startmuster.js";
import type { LabNode } from "../lab/lab.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkNodes, readJournal } from "./checks.js";
import { watchMuster } from "./knownjob.js";

const { skip, shop, lab, nodes } = await shareLab(t, { nodes: 3, gpus: 2 }, "looking into nodes");

const UNITS = 4000;
/** Works at 400 units/s and reports no progress. It waits at first as long as the file `stall` is there. */
const WORKER = `import json, os, sys, time
start, end, stall, log = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
def note(what):
    with open(log, "a") as file:
        file.write("%s %d %d %s\\n" % (os.uname().nodename, start, end, what))
note("began")
while os.path.exists(stall):
    time.sleep(0.02)
time.sleep(0.1 + (end - start) / 400)
note("ended")
print(json.dumps([start, end]))
`;

interface Noted {
  node: string;
  start: number;
  end: number;
  what: string;
}

/** A range job on the lab's nodes, of which some stall. */
class StallingJob {
  readonly run: string;

  constructor(private readonly name: string) {
    this.run = join(shop.folder, name, "run");
    shop.write(join(name, "worker.py"), WORKER);
    const args = ["{start}", "{end}", this.gate, this.log];
    const chunk = { base: 100, min: 20, max: 400 };
    const job = {
      name,
      kind: "range",
      range: [0, UNITS],
      script: "worker.py",
      args,
      outputs: ["stdout"],
      collect: "lines",
      chunk,
    };
    shop.write(join(name, "job.yaml"), job);
  }

  start(env: Record<string, string> = {}) {
    const words = ["run", join(shop.folder, this.name, "job.yaml"), "-i", lab.inventory(), "--out", this.run, "--json"];
    return watchMuster(startMuster(words, { cwd: shop.folder, env }));
  }

  stall(node: LabNode): void {
    writeFileSync(join(node.root, this.gate), "");
  }

  proceed(node: LabNode): void {
    rmSync(join(node.root, this.gate));
  }

  noted(): Noted[] {
    const logs = nodes.map((node) => join(node.root, this.log)).filter((file) => existsSync(file));
    const lines = logs.flatMap((file) => readFileSync(file, "utf8").split("\n").filter(Boolean));
    return lines.map((line) => {
      const [node, start, end, what] = line.split(" ");
      return { node: node!, start: Number(start), end: Number(end), what: what! };
    });
  }

  /** Removes what the workers have left on the nodes. */
  clean(): void {
    for (const node of nodes) for (const path of [this.gate, this.log]) rmSync(join(node.root, path), { force: true });
  }

  private get gate(): string {
    return `/var/tmp/stall-${this.name}`;
  }

  private get log(): string {
    return `/var/tmp/log-${this.name}`;
  }

  /** Returns the chunks that were begun of units that a stalled node has. */
  pieces(node: string): Noted[] {
    const stalled = this.noted().filter((one) => one.node === node && one.what === "began");
    return this.noted().filter(
      (one) => one.node !== node && stalled.some(({ start, end }) => start <= one.start && one.end <= end),
    );
  }

  committedUnits(): number {
    const done = existsSync(this.run) ? readJournal(this.run).flatMap((one) => (one.e === "done" ? [one] : [])) : [];
    return done.reduce((sum, { start, end }) => sum + Number(end) - Number(start), 0);
  }

  /** Checks that every unit has one result, in the journal and in results.ndjson. */
  checkExactlyOnce(t: Test): void {
    const lines = readFileSync(join(this.run, "results.ndjson"), "utf8").split("\n").filter(Boolean);
    const outputs = lines.map((line) => (JSON.parse(line) as { output: [number, number] }).output);
    let at = 0;
    for (const [start, end] of outputs.sort(([a], [b]) => a - b)) {
      if (start !== at) t.fail(`units ${at} to ${start}`);
      at = end;
    }
    t.equal(at, UNITS, "every unit has one result");
    t.equal(this.committedUnits(), UNITS, "and one record");
  }
}

t.test("a chunk on a node that stalls is computed again in pieces, and stopped there", { skip }, async (t) => {
  const job = new StallingJob("stalls");
  const slow = nodes[0]!;
  job.stall(slow);
  const ran = await job.start().ended;
  t.equal(ran.code, 0, ran.err);
  const { session } = JSON.parse(ran.out) as { session: { dropped: number; discardedSeconds: number } };
  t.equal(session.dropped, 2, "one attempt on each slot of the node");
  t.ok(session.discardedSeconds > 0, `${session.discardedSeconds} s of work are counted as discarded`);
  t.ok(job.pieces(slow.name).length >= 4, "idle slots have computed its units");
  job.checkExactlyOnce(t);
  job.clean();
  await checkNodes(t, lab.nodes);
});

/** Resumes a run whose coordinator was killed, while the node works again, and checks that every unit is committed once. */
async function checkResumed(t: Test, job: StallingJob, slow: LabNode): Promise<void> {
  const again = job.start();
  job.proceed(slow);
  const ran = await again.ended;
  t.equal(ran.code, 0, ran.err);
  job.checkExactlyOnce(t);
  job.clean();
  await checkNodes(t, lab.nodes);
}

t.test("a coordinator is killed while pieces run: every unit is committed once", { skip }, async (t) => {
  const job = new StallingJob("killed");
  const slow = nodes[0]!;
  job.stall(slow);
  const { child, ended } = job.start();
  await waitUntil("a piece runs", () => job.pieces(slow.name).length > 0);
  child.kill("SIGKILL");
  await ended;
  await checkResumed(t, job, slow);
});

for (const step of ["held", "held:2"])
  t.test(
    `a coordinator is killed when it holds a piece (${step}): every unit is committed once`,
    { skip },
    async (t) => {
      const job = new StallingJob(step.replace(":", "-"));
      const slow = nodes[0]!;
      job.stall(slow);
      const killed = await job.start({ MUSTER_KILL_AT: step }).ended;
      t.equal(killed.code, null, "it was killed");
      t.ok(job.committedUnits() < UNITS, "what is held is not committed");
      await checkResumed(t, job, slow);
    },
  );
