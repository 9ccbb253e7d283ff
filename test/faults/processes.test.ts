import { join } from "node:path";
import t, { type Test } from "tap";
import { type MusterResult, runMuster } from "../cli/startmuster.js";
import type { LabNode } from "../lab/lab.js";
import { shareLab } from "../lab/sharedlab.js";
import { checkNodes, committedChunks } from "./checks.js";

const { skip, shop, lab, nodes } = await shareLab(t, { nodes: 5, gpus: 0, user: "rig" }, "processes of nodes");

// What ignores a signal is given seconds: these tests wait side by side, each on nodes of its own.
t.jobs = 3;

/** A job whose chunks are a shell script with their number in $n; each should write r.txt. */
class Script {
  readonly run: string;
  private readonly file: string;

  constructor(
    readonly name: string,
    count: number,
    script: string,
    keys: Record<string, unknown>,
  ) {
    shop.write(`${name}/script.sh`, `#!/bin/sh\nn=$1\n${script}\n`, 0o755);
    const matrix = { n: [0, count] };
    const job = { name, kind: "matrix", matrix, script: "script.sh", args: ["{n}"], outputs: ["r.txt"], ...keys };
    this.file = shop.write(`${name}/job.yaml`, job);
    this.run = join(shop.folder, name, "runs", name);
  }

  muster(on: LabNode[], slots: number): Promise<MusterResult> {
    const inventory = lab.inventory({ file: `${this.name}.yaml`, node: { slots } });
    return runMuster(["run", this.file, "-i", inventory, "--limit", on.map(({ name }) => name).join()]);
  }

  check(t: Test, chunks: number[], text: (n: number) => string): void {
    const all = committedChunks(this.run);
    t.same(
      chunks.map((n) => all.filter((chunk) => chunk === `n=${n}`).length),
      chunks.map(() => 1),
      "committed once each",
    );
    for (const n of chunks) t.equal(shop.read(`${this.name}/runs/${this.name}/results/n=${n}/r.txt`), text(n));
  }
}

/** Starts what outlives its parent in every way that there is, named `escapee` so that it can be counted. */
const ESCAPES = `
loop='trap "" TERM HUP INT; exec <&- >&- 2>&-; while :; do sleep 0.2; done; : escapee'
sh -c "$loop" &
setsid sh -c "$loop" &
(setsid sh -c "sh -c '$loop' &" &)
(setsid env -i /bin/sh -c "$loop" &)
sleep 0.5
`;
/** How many of those there are. */
const COUNT = "grep -la '[e]scapee' /proc/[0-9]*/cmdline 2>/dev/null | wc -l";

t.test(
  "chunks that ignore TERM and descendants that escaped are gone before their slot is used again",
  { skip },
  async (t) => {
    const node = nodes.pop()!;
    const script = `
case $n in
  0) ${ESCAPES} ${COUNT} > r.txt;;
  1) ${ESCAPES} trap "" TERM; while :; do sleep 0.2; done;;
  *) ${COUNT} > r.txt;;
esac`;
    const job = new Script("stubborn", 4, script, { timeout: "6s", retry: { attempts: 1 } });
    const ran = await job.muster([node], 1);
    t.equal(ran.code, 3, ran.err);
    t.match(ran.out, /chunk n=1 .*: still running after its timeout of 6 s/);
    job.check(t, [2, 3], () => "0\n");
    t.ok(Number(shop.read("stubborn/runs/stubborn/results/n=0/r.txt")) >= 4, "there were some to be killed");
    await checkNodes(t, [node]);
  },
);

t.test(
  "a process that cannot be killed disables its slot; the others continue, and it is reported at the end",
  { skip },
  async (t) => {
    const on = [nodes.pop()!, nodes.pop()!] as const;
    // A process of another real user cannot be killed by the agent: what a hung driver does, without one.
    await on[0].exec(["sh", "-c", "cp /usr/bin/python3 /usr/local/bin/undead; chmod 4755 /usr/local/bin/undead"]);
    await on[1].exec(["cp", "/usr/bin/python3", "/usr/local/bin/undead"]);
    const undead = 'undead -IS -c "import os, time; os.setresuid(0, 0, 0); time.sleep(1000)"';
    const script = `echo "$n" > r.txt\nsleep 0.3\n[ -u /usr/local/bin/undead ] && mkdir /var/tmp/once 2>/dev/null && exec ${undead}\ntrue`;
    const job = new Script("undead", 24, script, { timeout: "8s", retry: { attempts: 3, backoff: "50ms" } });
    const ran = await job.muster([...on], 2);
    t.equal(ran.code, 0, ran.err);
    job.check(
      t,
      Array.from({ length: 24 }, (_, n) => n),
      (n) => `${n}\n`,
    );
    t.match(ran.err, /slot \d is disabled: processes of attempt \S+ are still alive 10 s after SIGKILL/);
    t.match(ran.err, /processes that survive SIGKILL stay on the node: \d+/);
    for (const { pid, argv } of on[0].processes()) if (argv[0] === "undead") process.kill(pid, "SIGKILL");
    await checkNodes(t, [...on]);
  },
);

t.test("a run whose last slot is disabled ends, and reports why", { skip }, async (t) => {
  const node = nodes.pop()!;
  await node.exec(["sh", "-c", "cp /usr/bin/python3 /usr/local/bin/undead; chmod 4755 /usr/local/bin/undead"]);
  const script = 'exec undead -IS -c "import os, time; os.setresuid(0, 0, 0); time.sleep(1000)"';
  const job = new Script("last", 3, script, { timeout: "1s", retry: { attempts: 3, backoff: "50ms" } });
  const ran = await job.muster([node], 1);
  t.equal(ran.code, 69, ran.err);
  t.match(ran.out, /no usable node is left/);
  t.match(ran.out, /slot 0 is disabled: processes of attempt \S+ are still alive 10 s after SIGKILL/);
  for (const { pid, argv } of node.processes()) if (argv[0] === "undead") process.kill(pid, "SIGKILL");
  t.equal((await runMuster(["cancel", job.run])).code, 0);
  await checkNodes(t, [node]);
});
