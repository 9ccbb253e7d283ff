import { join } from "node:path";
import t from "tap";
import type { RunSummary } from "../../executor/run/record/runsummary.js";
import { listLeftovers } from "../lab/leftovers.js";
import { shareLab } from "../lab/sharedlab.js";
import { runMuster } from "./startmuster.js";

const { skip, shop, lab, inventory } = await shareLab(t, { nodes: 3, gpus: 0 });

const MAIN = `import sys
from tools import work
work.main(int(sys.argv[1]), int(sys.argv[2]))
`;
const JOB = {
  kind: "range",
  range: [0, 400],
  script: "main.py",
  args: ["{start}", "{end}"],
  outputs: ["r.json"],
  chunk: { base: 10 },
};

/** Writes a project of two modules with this body of \`work.main(start, end)\`. Returns the job file. */
function writeProject(name: string, body: string, keys: object = {}): string {
  shop.write(`${name}/main.py`, MAIN);
  shop.write(`${name}/tools/work.py`, `import json, os, sys\ndef main(start, end):\n    ${body}\n`);
  return shop.write(`${name}/job.yaml`, { ...JOB, ...keys });
}

const summaryOf = (name: string) => shop.json(`${name}/runs/job/summary.json`) as RunSummary;
const countAttempts = (name: string): number => summaryOf(name).session.attempts;

t.test("a program that fails everywhere stops the run after a chunk or two a slot", { skip }, async (t) => {
  const file = writeProject("broken", `sys.exit("no table for %d" % start)`);
  const ran = await runMuster(["run", file, "-i", inventory]);
  t.equal(ran.code, 3);
  t.match(ran.out, /job: halted: 0 chunks done/);
  t.match(
    ran.out,
    /\d chunks failed alike, and none has succeeded\n +Correct the cause, and run the same command again/,
  );
  t.equal(ran.out.match(/^failed: \d chunks: exit code 1/gm)?.length, 1, "the failures are one group");
  t.match(ran.out, /no table for \d+\n {2}others: \d+-\d+/);
  t.match(summaryOf("broken"), { state: "halted", halt: { rule: "alike" }, chunks: { done: 0, failed: 0 } });
  const slots = summaryOf("broken").nodes.reduce((sum, node) => sum + node.slots, 0);
  // While others are still joining on a busy machine, slots that have failed may try a second chunk.
  t.ok(countAttempts("broken") <= 2 * slots, `${countAttempts("broken")} attempts on ${slots} slots`);
  for (const node of lab.nodes) t.same(await node.processes(), [], "no process is left on a node");
  for (const node of lab.nodes) t.same(listLeftovers(join(node.root, "root/.muster")), [], "no file is left on a node");

  const status = await runMuster(["status", join(shop.folder, "broken/runs/job")]);
  t.match(status.out, /job: halted: 0 %[\s\S]*failed alike/);
  const report = await runMuster(["report", join(shop.folder, "broken/runs/job")]);
  t.match(report.out, /job: halted[\s\S]*failed alike[\s\S]*failed chunks:\n[\s\S]*no table for \d+/);
  const failed = await runMuster(["logs", join(shop.folder, "broken/runs/job"), "--failed"]);
  t.match(failed.out, /^failed: chunk \d+-\d+ on \w+ slot \d[\s\S]*no table for \d+/);
  writeProject("broken", `json.dump(end - start, open("r.json", "w"))`);
  const again = await runMuster(["run", file, "-i", inventory]);
  t.match(again, { code: 0, out: /job: complete/, err: /the halted run is now \S+\/broken\/runs\/job-halted/ });
  t.match(await runMuster(["status", join(shop.folder, "broken")]), { out: /job-halted/ });
});

t.test("a run that was stopped continues where the cause lay outside the project", { skip }, async (t) => {
  const mark = join(shop.folder, "table");
  const body = `json.dump(1, open("r.json", "w")) if os.path.exists("${mark}") else sys.exit("no table")`;
  const file = writeProject("outside", body);
  t.match(await runMuster(["run", file, "-i", "local"]), { code: 3, out: /job: halted/ });
  shop.write("table", "");
  t.match(await runMuster(["run", file, "-i", "local"]), { code: 0, out: /job: complete/ });
});

t.test("a syntax error is found before any chunk starts", { skip }, async (t) => {
  const file = writeProject("syntax", "json.dump(end - start, open('r.json', 'w')");
  const ran = await runMuster(["run", file, "-i", inventory]);
  t.equal(ran.code, 3);
  const place = `${join(shop.folder, "syntax/tools/work.py")}:3:`;
  t.ok(ran.out.includes(place), ran.out);
  t.match(ran.out, /SyntaxError: .*\(Python 3\.\d+\.\d+\): json\.dump/);
  t.match(ran.out, /Correct the cause, and run the same command again: it starts over\./);
  t.equal(countAttempts("syntax"), 0);
  t.match(summaryOf("syntax"), { state: "halted", failures: [] });
  for (const node of lab.nodes) t.same(await node.processes(), [], "no process is left on a node");
});

t.test("what may never be imported stops nothing", { skip }, async (t) => {
  const body = `json.dump(end - start, open("r.json", "w"))\ntry:\n    from tools import other\nexcept SyntaxError: pass`;
  shop.write("tried/tools/other.py", "print 'of another time'\n");
  shop.write("tried/tools/unused.py", "def f(:\n");
  t.match(await runMuster(["run", writeProject("tried", body), "-i", inventory]), { code: 0, out: /complete/ });
});

t.test("a share of failed chunks stops a run whose first chunks succeeded; it can be resumed", { skip }, async (t) => {
  const body = `start >= 300 and not os.path.exists("${join(shop.folder, "go")}") and sys.exit(5)\n    json.dump(1, open("r.json", "w"))`;
  const file = writeProject("share", body, { range: [0, 1000], halt: { failures: "10%" }, retry: { attempts: 1 } });
  const ran = await runMuster(["run", file, "-i", "local"]);
  t.equal(ran.code, 3);
  t.match(ran.out, /(\d+) of (\d+) chunks failed, and `halt\.failures` of the job is 10 %/);
  const { chunks } = summaryOf("share");
  t.ok(chunks.done + chunks.failed < 60, JSON.stringify(chunks));
  t.ok(chunks.failed >= 2, JSON.stringify(chunks));
  shop.write("go", "");
  t.match(await runMuster(["run", file, "-i", "local"]), { code: 0, out: /job: complete/ });
});

t.test("halt.alike: 0 lets every chunk have its tries", { skip }, async (t) => {
  const keys = { halt: { alike: 0 }, retry: { attempts: 1 } };
  const file = writeProject("on", `sys.exit("no table for %d" % start)`, keys);
  const ran = await runMuster(["run", file, "-i", "local"]);
  t.match(ran, { code: 3, out: /job: failed: all \d+ chunks, / });
  const { failed } = summaryOf("on").chunks;
  t.ok(failed >= 20, `${failed} chunks failed`);
  const lines = ran.err.split("\n").filter((line) => line.startsWith("chunk ")).length;
  t.ok(lines < failed, `${lines} lines about ${failed} failures`);
});
