import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { checkNodes } from "../faults/checks.js";
import { shareLab } from "../lab/sharedlab.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";

const { skip, shop, nodes, inventory } = await shareLab(t, { nodes: 1, gpus: 0 }, "looking into nodes");

interface Faulty {
  /** Python. */
  program: string;
  outputs?: unknown[];
  /** Further keys of the job. */
  job?: object;
  /** What the user sees of the failed attempt. */
  reason: string;
}

const makeFiles = (count: number) => `for n in range(${count}): open("f%d.x" % n, "w").write("x")`;

const FAULTS: Record<string, Faulty> = {
  "a glob that matches nothing": {
    program: "open('a.SRT', 'w')",
    outputs: ["*.srt"],
    reason: "exit code 0, but no output *.srt (no new file)",
  },
  "a folder that is empty": {
    program: "pass",
    outputs: ["frames/"],
    reason: "exit code 0, but no output frames/ (no new file)",
  },
  "a folder that is gone": {
    program: "os.rmdir('frames')",
    outputs: ["frames/"],
    reason: "exit code 0, but no output frames/ (no such folder)",
  },
  "too few files": {
    program: makeFiles(2),
    outputs: [{ glob: "*.x", at_least: 3 }],
    reason: "exit code 0, but no output *.x (2 files, at least 3 are needed)",
  },
  "1,200 files": {
    program: makeFiles(1200),
    outputs: ["*.x"],
    reason: "1200 output files, more than 1000: narrow down what outputs names, or raise limits.files",
  },
  "more files than at_most": {
    program: makeFiles(11),
    outputs: [{ glob: "*.x", at_most: 10 }],
    reason: "*.x has 11 files, more than at_most 10",
  },
  "a link": {
    program: "open('a', 'w'); os.symlink('a', 'b.x')",
    outputs: ["*.x"],
    reason: "the output b.x is a link: have the program write a file there",
  },
  "a pipe": {
    program: "os.mkfifo('out/p')",
    outputs: ["out/"],
    reason: "the output out/p is neither a file nor a folder",
  },
  "a folder where a file should be": {
    program: "os.mkdir('r.json')",
    outputs: ["r.json"],
    reason: "exit code 0, but no output r.json (it is a folder, not a file)",
  },
  "a file where a folder should be": {
    program: "os.rmdir('out'); open('out', 'w')",
    outputs: ["out/"],
    reason: "exit code 0, but no output out/ (no such folder)",
  },
  "a name that is not UTF-8": {
    program: "open(b'out/\\xff.png', 'w')",
    outputs: ["out/"],
    reason: "the name of the output out/\uFFFD.png is not UTF-8",
  },
  "a folder that is a link": {
    program: "os.rmdir('out'); os.mkdir('real'); open('real/a', 'w'); os.symlink('real', 'out')",
    outputs: ["out/"],
    reason: "exit code 0, but no output out/ (no such folder)",
  },
  "an SQLite file to append to": {
    program: "import sqlite3; db = sqlite3.connect('found'); db.execute('create table t (a)'); db.commit(); db.close()",
    job: { append: ["found"] },
    reason:
      "output found is an SQLite database, which cannot be joined by appending: have the program append lines of text, " +
      "or declare it in outputs and merge the files in a later step",
  },
  "files that are too large together": {
    program: "for n in range(3): open('out/%d' % n, 'w').write('x' * 4000)",
    outputs: ["out/"],
    job: { limits: { output: 10_000 } },
    reason: "the files of out/ have 11.7 KiB, more than the 9.8 KiB that the job allows (limits.output)",
  },
  "nothing printed, where JSON is collected": {
    program: "pass",
    outputs: ["stdout"],
    job: { collect: "lines" },
    reason: "stdout is empty, but collect: lines needs JSON",
  },
  "text printed, where JSON is collected": {
    program: "print('best trial: 7'); print('{}')",
    outputs: ["stdout"],
    job: { collect: "lines" },
    reason: 'stdout is not one JSON value, as collect: lines needs; it begins with "best trial: 7\\n{}"',
  },
  "too much printed": {
    program: "print('x' * 30000)",
    outputs: ["stdout"],
    job: { limits: { output: 10_000 } },
    reason: "it printed more than the 10000 bytes that the job allows for stdout (limits.output)",
  },
};

function writeJob(name: string, { program, outputs, job }: Omit<Faulty, "reason">): string {
  shop.write(`${name}/w.py`, `import os, sys\n${program}\n`);
  return shop.write(`${name}/job.json`, {
    kind: "range",
    range: [0, 1],
    script: "w.py",
    retry: { attempts: 1 },
    ...(outputs && { outputs }),
    ...job,
  });
}

t.test("outputs that cannot be taken fail the attempt, with the reason", { skip }, async (t) => {
  const entries = Object.entries(FAULTS);
  const runFault = async ([what, { reason, ...faulty }]: (typeof entries)[number]) => {
    const name = what.replace(/\W+/g, "-");
    const ran = await runMuster(["run", writeJob(name, faulty), "-i", inventory]);
    t.equal(ran.code, 3, `${what}: ${ran.err}`);
    const shown = ran.err.split("\n").find((line) => line.startsWith("failed: "));
    t.equal(shown, `failed: chunk 0-1 on node1 slot ${/slot (\d)/.exec(shown ?? "")?.[1]}, attempt 1: ${reason}`, what);
    const published = readdirSync(join(shop.folder, name, "runs/job/results"));
    // What the chunks of a run appended is joined even where it is nothing.
    t.same(published, what.endsWith("to append to") ? ["found"] : [], `${what}: nothing is published`);
  };
  // A few at a time: each is a process that mostly waits.
  for (let next = 0; next < entries.length; next += 3) await Promise.all(entries.slice(next, next + 3).map(runFault));
  await checkNodes(t, nodes);
});

t.test("a program that prints forever is ended soon, and its disk use stays bounded", { skip }, async (t) => {
  const limit = 20 << 20;
  // It ignores SIGTERM, too.
  const program = `import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True: os.write(1, b"y" * (1 << 20))`;
  const job = writeJob("endless", { program, outputs: ["stdout"], job: { limits: { output: limit } } });
  const child = startMuster(["run", job, "-i", inventory]);
  const ended = waitForExit(child);
  const runs = join(nodes[0]!.root, "root/.muster/runs");
  let [mostBytes, mostPrinted] = [0, 0];
  const watch = setInterval(() => {
    for (const run of existsSync(runs) ? readdirSync(runs) : []) {
      const attempts = join(runs, run, "a");
      for (const attempt of existsSync(attempts) ? readdirSync(attempts) : []) {
        const stat = statSync(join(attempts, attempt, "out"), { throwIfNoEntry: false });
        mostBytes = Math.max(mostBytes, (stat?.blocks ?? 0) * 512);
        mostPrinted = Math.max(mostPrinted, stat?.size ?? 0);
      }
    }
  }, 20);
  const ran = await ended;
  clearInterval(watch);
  t.equal(ran.code, 3, ran.err);
  t.match(ran.err, `it printed more than the ${limit} bytes that the job allows for stdout (limits.output)`);
  t.ok(mostPrinted > limit, `${mostPrinted} bytes were printed`);
  // It is looked at every 100 ms, and meanwhile a memory file system takes a few GB/s.
  t.comment(`${mostPrinted} bytes printed, at most ${mostBytes} on disk`);
  t.ok(mostBytes < Math.max(2 ** 30, mostPrinted / 2), `at most ${mostBytes} bytes were on disk`);
  await checkNodes(t, nodes);
});
