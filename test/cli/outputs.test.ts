import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { checkNodes, listFiles } from "../faults/checks.js";
import { shareLab } from "../lab/sharedlab.js";
import { runMuster } from "./startmuster.js";

const { skip, shop, nodes, inventory } = await shareLab(t, { nodes: 2, gpus: 0 }, "looking into nodes");

const runFolder = (name: string) => join(shop.folder, name, "runs/job");

/** Writes a job with its worker, a Python program, in a folder of its name. Returns the path of the job file. */
function writeJob(name: string, worker: string, keys: object): string {
  shop.write(`${name}/w.py`, `import os, sys\n${worker}`);
  return shop.write(`${name}/job.json`, { script: "w.py", ...keys });
}

/** Runs a job, which must succeed, and checks that nothing is left on the nodes. */
async function complete(t: Test, job: string, words: string[] = []): Promise<string> {
  const ran = await runMuster(["run", job, "-i", inventory, ...words]);
  t.equal(ran.code, 0, ran.err + ran.out);
  await checkNodes(t, nodes);
  return ran.out;
}

interface ListedFile {
  path: string;
  size: number;
  sha256: string;
}

/** The lines of results.ndjson list exactly the files in results/ but for `others`, with their sizes and hashes. */
function checkListed(t: Test, name: string, others: string[] = []): void {
  const lines = shop.results(`${name}/runs/job`) as unknown as { chunk: string; files: ListedFile[] }[];
  const listed = lines.flatMap(({ files }) => files);
  const found = listFiles(join(runFolder(name), "results"));
  t.same([...listed.map(({ path }) => path), ...others].sort(), found, "results.ndjson lists every file once");
  const wrong = listed.filter(({ path, size, sha256 }) => {
    const bytes = readFileSync(join(runFolder(name), "results", path));
    return bytes.length !== size || createHash("sha256").update(bytes).digest("hex") !== sha256;
  });
  t.same(wrong, [], "with its size and hash");
}

t.test("stdout, a folder, globs and a joined file of a range, small and large", { skip }, async (t) => {
  const worker = `
start, end = int(sys.argv[1]), int(sys.argv[2])
assert os.path.getsize("found.txt") == 0
print("chunk", start, end)
if start == 0:
    sys.stdout.write("0123456789abcde\\n" * (30 << 16))
for n in range(start, end):
    with open("frames/%d.bin" % n, "wb") as file: file.write(b"%d\\n" % n * (700000 if n == 7 else 1))
    with open("%d.srt" % n, "w") as file: file.write("srt %d" % n)
    os.makedirs("deep/a/%d" % n, exist_ok=True)
    with open("deep/a/%d/x.txt" % n, "w") as file: file.write("deep %d" % n)
    with open("deep/a/%d/x.log" % n, "w") as file: file.write("no result")
    if n % 3 == 0:
        with open("found.txt", "a") as file: file.write("hit %d%s" % (n, "" if n % 2 else "\\n"))
if start >= 40:
    for n in range(900):
        with open("frames/small%d" % n, "w") as file: file.write("x%d" % n * 20)
`;
  const job = writeJob("kinds", worker, {
    kind: "range",
    range: [0, 50],
    chunk: { min: 10, max: 10 },
    args: ["{start}", "{end}"],
    outputs: ["stdout", "frames/", "*.srt", "deep/**/*.txt"],
    append: ["found.txt"],
  });
  await complete(t, job);
  checkListed(t, "kinds", ["found.txt"]);
  const results = join(runFolder("kinds"), "results");
  const lines = shop.results("kinds/runs/job") as unknown as { chunk: string }[];
  const numbers: number[] = [];
  for (const { chunk } of lines) {
    const [start, end] = chunk.split("-").map(Number) as [number, number];
    const expected = ["stdout"];
    for (let n = start; n < end; n++) expected.push(`frames/${n}.bin`, `${n}.srt`, `deep/a/${n}/x.txt`);
    if (start >= 40) for (let n = 0; n < 900; n++) expected.push(`frames/small${n}`);
    t.same(listFiles(join(results, chunk)), expected.sort(), chunk);
    const printed = `chunk ${start} ${end}\n${start === 0 ? "0123456789abcde\n".repeat(30 << 16) : ""}`;
    t.ok(readFileSync(join(results, chunk, "stdout"), "utf8") === printed, `stdout of ${chunk}`);
    for (let n = start; n < end; n++) {
      numbers.push(n);
      const frame = readFileSync(join(results, chunk, `frames/${n}.bin`), "utf8");
      t.ok(frame === `${n}\n`.repeat(n === 7 ? 700_000 : 1), `frame ${n}`);
    }
  }
  t.same(
    numbers,
    Array.from({ length: 50 }, (_, n) => n),
    "every unit once, in order",
  );
  const hits = numbers.filter((n) => n % 3 === 0);
  // A line break is missing after odd numbers, but each chunk's part ends with one.
  const joined = readFileSync(join(results, "found.txt"), "utf8");
  t.same(
    joined.match(/hit \d+?(?=hit|\n)/g)?.map((hit) => Number(hit.slice(4))),
    hits,
    "joined in chunk order",
  );
  t.equal(joined.endsWith("\n"), true);
  t.same(
    readdirSync(runFolder("kinds")).filter((name) => name.endsWith("partial")),
    [],
  );
});

t.test("outputs above the working directory lie at their paths from the project's root", { skip }, async (t) => {
  const worker = "open(sys.argv[1], 'w').write(sys.argv[2]); os.makedirs('../made/' + sys.argv[2])\n";
  const more = "open('../made/%s/y.png' % sys.argv[2], 'w').write('y'); open('own', 'w').write('own')\n";
  shop.write("above/scripts/readme", "so that the folder exists");
  const job = writeJob("above", worker + more, {
    kind: "tasks",
    cwd: "scripts",
    tasks: ["a", "b"].map((id) => ({
      id,
      args: [`../output/${id}.png`, id],
      outputs: [
        `../output/${id}.png`,
        id === "a" ? "../made/*/*.png" : "../ma*/",
        { glob: `own${id === "a" ? "" : "?"}`, at_least: 0 },
      ],
    })),
  });
  await complete(t, job);
  const results = join(runFolder("above"), "results");
  t.same(listFiles(results), ["made/a/y.png", "made/b/y.png", "output/a.png", "output/b.png", "own"]);
  t.equal(readFileSync(join(results, "output/b.png"), "utf8"), "b");
  checkListed(t, "above");
});

t.test("an input that is edited in place: each attempt edits its own copy", { skip }, async (t) => {
  shop.write("edit/data.csv", "begin\n");
  const large = "x".repeat(5 << 20);
  shop.write("edit/large.bin", large);
  const worker = "for name in ('data.csv', 'large.bin'): open(name, 'a').write(sys.argv[1])\n";
  const job = writeJob("edit", worker, {
    kind: "matrix",
    matrix: { n: [0, 6] },
    args: ["n{n}"],
    inputs: ["data.csv", "large.bin"],
    outputs: ["data.csv", "large.bin"],
  });
  await complete(t, job);
  for (let n = 0; n < 6; n++) {
    t.equal(shop.read(`edit/runs/job/results/n=${n}/data.csv`), `begin\nn${n}`);
    t.ok(shop.read(`edit/runs/job/results/n=${n}/large.bin`) === `${large}n${n}`, `large ${n}`);
  }
  t.equal(shop.read("edit/data.csv"), "begin\n");
  t.ok(shop.read("edit/large.bin") === large);
});

t.test("files of the project that match a glob count only where the program changed them", { skip }, async (t) => {
  for (const name of ["same", "changed", "replaced", "gone"]) shop.write(`glob/out/${name}.txt`, name);
  shop.write("glob/staged.txt", "staged");
  const worker = `
open("out/changed.txt", "a").write("!")
open("out/tmp", "w").write("replaced again"); os.rename("out/tmp", "out/replaced.txt")
os.remove("out/gone.txt")
open("out/new.txt", "w").write("new")
`;
  const tasks = [{ id: "a", inputs: ["staged.txt"], outputs: ["out/*.txt", { glob: "*.txt", at_least: 0 }] }];
  await complete(t, writeJob("glob", worker, { kind: "tasks", tasks }));
  t.same(listFiles(join(runFolder("glob"), "results/out")), ["changed.txt", "new.txt", "replaced.txt"]);
  t.same(readdirSync(join(runFolder("glob"), "results")), ["out"], "the staged file was not changed");
  t.equal(shop.read("glob/runs/job/results/out/changed.txt"), "changed!");
});

t.test("a second attempt starts with an empty file, and without what the first one made", { skip }, async (t) => {
  const worker = `
open("found.txt", "a").write(sys.argv[1] + "\\n")
open("made-%s.x" % os.environ["MUSTER_ATTEMPT"].replace("/", "_"), "w").close()
print("printed by", sys.argv[1])
mark = "/var/tmp/tried-" + sys.argv[1]
if not os.path.exists(mark):
    open(mark, "w").close()
    sys.exit(9)
`;
  const job = writeJob("retry", worker, {
    kind: "matrix",
    matrix: { n: [0, 4] },
    args: ["n{n}"],
    needs: { nodes: ["node1"] },
    retry: { attempts: 3 },
    halt: { alike: 0 }, // every chunk fails at first
    outputs: ["stdout", "*.x"],
    append: ["found.txt"],
  });
  const out = await complete(t, job);
  t.match(out, /complete/);
  const results = join(runFolder("retry"), "results");
  t.equal(readFileSync(join(results, "found.txt"), "utf8"), "n0\nn1\nn2\nn3\n");
  for (let n = 0; n < 4; n++) {
    t.equal(listFiles(join(results, `n=${n}`)).length, 2, "one file beside stdout");
    t.equal(readFileSync(join(results, `n=${n}/stdout`), "utf8"), `printed by n${n}\n`);
  }
});

t.test("an entry of a jobs file without --output has what it prints as its result", { skip }, async (t) => {
  shop.write("entries/w.py", "import sys\nprint('hello', sys.argv[1])\n");
  shop.write("entries/o.py", "import sys\nopen(sys.argv[2], 'w').write('file')\nprint('log')\n");
  const job = shop.write("entries/job.json", {
    jobs: [
      { job_id: "one", script: "w.py", args: ["1"] },
      { job_id: "two", script: "o.py", args: ["--output", "results/two.json"] },
    ],
  });
  await complete(t, job);
  t.equal(shop.read("entries/runs/job/results/one/stdout"), "hello 1\n");
  t.equal(shop.read("entries/runs/job/results/results/two.json"), "file");
  t.same(listFiles(join(runFolder("entries"), "results")), ["one/stdout", "results/two.json"]);
});

t.test(
  "JSON that is printed becomes lines and aggregates, and is computed again to be compared",
  { skip },
  async (t) => {
    const worker = 'print(\'{"n": %s}\' % sys.argv[1])\nopen("x%s.bin" % sys.argv[1], "w").write(sys.argv[1])\n';
    const keys = { kind: "matrix", matrix: { n: [0, 6] }, args: ["{n}"] };
    await complete(t, writeJob("lines", worker, { ...keys, outputs: ["stdout"], collect: "lines" }));
    const lines = shop.results("lines/runs/job");
    t.same(
      lines.map(({ output }) => output),
      [0, 1, 2, 3, 4, 5].map((n) => ({ n })),
    );
    t.equal(existsSync(join(runFolder("lines"), "results/n=0")), false);
    const out = await complete(
      t,
      writeJob("again", worker, {
        ...keys,
        outputs: ["stdout", "*.bin"],
        aggregate: { from: "stdout", as: "array", to: "all.json" },
        recheck: "100%",
      }),
    );
    t.match(out, /6 chunks computed twice, 0 with a different result/);
    t.same(
      shop.json("again/runs/job/all.json"),
      [0, 1, 2, 3, 4, 5].map((n) => ({ n })),
    );
    checkListed(t, "again");
  },
);

t.test("results in a folder of the nodes: stdout, and what is found below {out}", { skip }, async (t) => {
  for (const node of nodes) {
    mkdirSync(join(node.root, "root/prng"), { recursive: true });
    writeFileSync(join(node.root, "root/prng/w.sh"), 'echo "in $PWD"; mkdir -p "$1/f"; echo $2 >"$1/f/$2.srt"\n');
  }
  const job = shop.write("node/job.json", {
    kind: "tasks",
    directory: "~/prng",
    tasks: ["a", "b", "c"].map((id) => ({
      id,
      command: ["sh", "w.sh", "{out}", id],
      outputs: ["stdout", `f/${id}*.srt`],
    })),
  });
  await complete(t, job);
  for (const id of ["a", "b", "c"]) {
    t.equal(shop.read(`node/runs/job/results/${id}/stdout`), "in /root/prng\n");
    t.equal(shop.read(`node/runs/job/results/f/${id}.srt`), `${id}\n`);
  }
  for (const node of nodes) t.same(readdirSync(join(node.root, "root/prng")), ["w.sh"]);
});

t.test(
  "two tasks whose globs find the same name: the second fails, the first one's file stays",
  { skip },
  async (t) => {
    const worker = `import time
while sys.argv[1] == "b" and not os.path.exists("/var/tmp/a-ended"): time.sleep(0.02)
open("same.x", "w").write(sys.argv[1])
open("/var/tmp/a-ended", "w").close()
`;
    const job = writeJob("same", worker, {
      kind: "tasks",
      needs: { nodes: ["node1"] },
      retry: { attempts: 1 },
      tasks: ["a", "b"].map((id) => ({ id, args: [id], outputs: ["*.x"] })),
    });
    const ran = await runMuster(["run", job, "-i", inventory]);
    t.equal(ran.code, 3, ran.err);
    const [first] = shop.results("same/runs/job") as unknown as { chunk: string }[];
    t.equal(shop.read("same/runs/job/results/same.x"), first?.chunk, "the file is that of the committed chunk");
    t.match(ran.out + ran.err, /same\.x/);
    t.match(ran.out + ran.err, /exists already|has an output same\.x, too/);
    await checkNodes(t, nodes);
  },
);
