import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { startInTerminal } from "./pseudoterminal.js";
import { runMuster, startMuster, TestFolder, waitForExit } from "./startmuster.js";

t.setTimeout(300_000);
const { skip, nodes, inventory } = await shareLab(t, { nodes: 2 }, "names of their own");

/** A folder with a program of two files, and data that git ignores. */
function createProject(test: { teardown(act: () => void): void }): TestFolder {
  const folder = new TestFolder();
  test.teardown(() => folder.remove());
  folder.write(".gitignore", "*.dat\n");
  folder.write("lib/count.py", "def count(path):\n    return len(open(path).read())\n");
  const program = "import sys\nfrom lib.count import count\nprint(sys.argv[1], count(sys.argv[1]))\n";
  folder.write("score.py", `#!/usr/bin/env python3\n${program}`, 0o755);
  for (const [at, name] of ["a", "b c", "d"].entries()) folder.write(`data/${name}.dat`, "x".repeat(at + 1));
  return folder;
}

const files = ["data/a.dat", "data/b c.dat", "data/d.dat"];
const printed = "data/a.dat 1\ndata/b c.dat 2\ndata/d.dat 3\n";

t.test("a script of a project on nodes; the same command again; and its job file", { skip }, async (t) => {
  const project = createProject(t);
  const map = (...words: string[]) => runMuster(["map", "-i", inventory, ...words], { cwd: project.folder });
  const first = await map("-k", "./score.py", "{}", ":::", ...files);
  t.equal(first.code, 0, first.err);
  t.equal(first.out, printed);
  t.match(first.err, /^3 tasks; the job: runs\/score\/map\.yaml\n/);
  t.match(first.err, /score: complete: 3 chunks done/);
  t.equal(project.read("runs/score/results/1-a.dat/stdout"), "data/a.dat 1\n");
  const again = await map("-k", "./score.py", "{}", ":::", ...files);
  t.match(again, { code: 0, out: printed, err: /already complete/ });
  const other = await map("-q", "./score.py", ":::", files[2]!);
  t.match(other, { code: 0, out: "data/d.dat 3\n", err: "" });
  t.same(readdirSync(join(project.folder, "runs")).sort(), ["score", "score-2"]);
  const command = /muster (run .*)$/m.exec(project.read("runs/score/map.yaml"))![1]!;
  const ran = await runMuster(command.split(" "), { cwd: project.folder });
  t.equal(ran.code, 0, ran.err);
  t.equal(project.read("runs/score-again/results/2-b%20c.dat/stdout"), "data/b c.dat 2\n");
});

t.test("outputs, a folder of results, CSV, stdin, a line for the shell", { skip }, async (t) => {
  const project = createProject(t);
  const options = { cwd: project.folder };
  const copy = ["map", "-i", inventory, "-o", "{.}.txt", "--results", "out", "cp {} {.}.txt", ":::", ...files];
  t.match(await runMuster(copy, options), { code: 0, out: /complete: 3 chunks done/ });
  t.equal(project.read("out/data/b c.txt"), "xx");
  project.write("grid.csv", 'lr,seed\n0.1,"{x}, y"\n0.2,$(id)\n');
  const grid = await runMuster(
    ["map", "-q", "-k", "--csv", "grid.csv", "echo", "{#}", "{seed}", "{lr}", "{y}"],
    options,
  );
  t.match(grid, { code: 64, err: /\{y\} stands for no value/ });
  const csv = await runMuster(
    ["map", "-q", "-k", "--csv", "grid.csv", "echo", "{#}", "{seed}", "{lr}", "$HOME"],
    options,
  );
  t.match(csv, { code: 0, out: "1 {x}, y 0.1 $HOME\n2 $(id) 0.2 $HOME\n" });
  const piped = startMuster(["map", "-q", "-k", "-0", "printf '%s;' {} | tr a-z A-Z"], options);
  piped.stdin!.end("a\nb\0it's\0");
  t.match(await waitForExit(piped), { code: 0, out: "A\nB;IT'S;" });
  const product = await runMuster(["map", "-q", "-k", "echo", "{2}-{1}", ":::", "a", "b", ":::", "1", "2"], options);
  t.equal(product.out, "1-a\n2-a\n1-b\n2-b\n");
});

t.test("a value that fails is left out, and does not hold the others up", { skip }, async (t) => {
  const project = createProject(t);
  const script = "[ {} != bad ] && echo {}";
  const ran = await runMuster(["map", "-q", "-k", script, ":::", "1", "bad", "2"], { cwd: project.folder });
  t.match(ran, { code: 3, out: "1\n2\n", err: /failed: chunk 2-bad/ });
});

t.test("--halt never tries all values, though the first ones fail alike", { skip }, async (t) => {
  const { folder: cwd } = createProject(t);
  const words = ["-i", "local", "--count", "8", "[ {} -gt 6 ] && echo {}"];
  const halted = await runMuster(["map", ...words], { cwd });
  t.match(halted, { code: 3, out: "", err: /failed alike, and none has succeeded\n.*muster map: --halt never/ });
  t.match(await runMuster(["map", "--halt", "never", ...words], { cwd }), { code: 3, out: "7\n" });
});

t.test("-k keeps a value that ends early back until those before it are printed", { skip }, async (t) => {
  const project = createProject(t);
  const gate = "while [ {} = slow ] && [ ! -e ~/keep-go ]; do sleep 0.1; done; echo {}";
  const words = ["map", "-q", "-k", "-i", inventory, "--name", "kept", gate, ":::", "slow", "fast"];
  const child = startMuster(words, { cwd: project.folder });
  let out = "";
  child.stdout!.on("data", (bytes) => {
    out += bytes;
  });
  const ended = waitForExit(child);
  const journal = join(project.folder, "runs/kept/journal.ndjson");
  await waitUntil(
    "fast is done",
    () => existsSync(journal) && /"e":"done","chunk":"2-fast"/.test(readFileSync(journal, "utf8")),
  );
  t.equal(out, "");
  for (const node of nodes) await node.exec(["touch", "/root/keep-go"]);
  t.equal((await ended).code, 0);
  t.equal(out, "slow\nfast\n");
});

t.test("an interrupted map is resumed by the same command, and prints everything once", { skip }, async (t) => {
  const project = createProject(t);
  const gate = "while [ {} = 2 ] && [ ! -e ~/map-go ]; do sleep 0.1; done; echo {}";
  const words = ["map", "-q", "-i", inventory, gate, ":::", "1", "2"];
  const child = startMuster(words, { cwd: project.folder });
  let out = "";
  child.stdout!.on("data", (bytes) => {
    out += bytes;
  });
  const ended = waitForExit(child);
  await waitUntil("1 is printed", () => out === "1\n");
  child.kill("SIGINT");
  t.equal((await ended).code, 130);
  for (const node of nodes) await node.exec(["touch", "/root/map-go"]);
  t.match(await runMuster(words, { cwd: project.folder }), { code: 0, out: "1\n2\n" });
  t.same(readdirSync(join(project.folder, "runs")).length, 1);
});

t.test("on a terminal, results are text without escape sequences", { skip }, async (t) => {
  const project = createProject(t);
  const child = startInTerminal(["map", "-i", "local", "printf 'x\\033[2J {}\\n'", ":::", "1"], {
    cwd: project.folder,
  });
  const { code, out } = await waitForExit(child);
  t.equal(code, 0, out);
  t.match(out, "x\\x1b[2J 1\r\n");
  t.notMatch(out, "\u001b[2J");
});

t.test("--dry-run changes nothing; wrong usage", { skip }, async (t) => {
  const project = createProject(t);
  const map = (...words: string[]) => runMuster(["map", ...words], { cwd: project.folder });
  const dry = await map("--dry-run", "./score.py", "{/.}", "-v", ":::", ...files);
  t.match(dry, { code: 0, out: "./score.py a -v\n./score.py 'b c' -v\n./score.py d -v\n" });
  t.notOk(existsSync(join(project.folder, "runs")));
  t.match(await map("--dry-run", "--count", "3", "echo", "{#}: {}"), {
    code: 0,
    out: "echo '1: 0'\necho '2: 1'\necho '3: 2'\n",
  });
  const wrong: [string[], number, RegExp][] = [
    [["--count", "0", "echo"], 64, /--count 0: it must be a number from 1 to 1000000/],
    [["--count", "3", "echo", ":::", "a"], 64, /::: and --count exclude each other/],
    [[":::", "a"], 64, /no command before :::/],
    [["echo", ":::"], 64, /there are no values/],
    [["./nope.py", ":::", "a"], 64, /\.\/nope\.py is no file/],
    [["echo", ":::+", "a"], 64, /:::\+ is not supported/],
    [["--csv", "nope.csv", "echo"], 65, /nope\.csv: there is no such file/],
    [["--csv", ".gitignore", "echo"], 64, /\.gitignore:1: "\*\.dat" cannot name a column/],
    [["--csv", "x", "echo", ":::", "a"], 64, /exclude each other/],
    [["--out", "..", "echo", ":::", "a"], 64, /is not in the project/],
    [["--out", "data", "echo", ":::", "a"], 64, /exists, and is not a run of this command/],
    [["--needs", "amd", "echo", ":::", "a"], 64, /--needs amd: it must be key=value/],
    [
      ["--needs", "colour=red", "echo", ":::", "a"],
      64,
      /^muster: map: unknown key "colour" in needs\n +known here: vendor/,
    ],
    [["--halt", "x", "echo", ":::", "a"], 64, /^muster: map: halt\.failures must be a share .*, not "x"\n$/],
    [["--timeout", "10x", "echo", ":::", "a"], 64, /^muster: map: timeout must be a span of time .*, not "10x"\n$/],
    [["--name", "../x", "echo", ":::", "a"], 64, /cannot name a folder/],
  ];
  for (const [words, code, message] of wrong) t.match(await map(...words), { code, err: message }, words.join(" "));
  t.notOk(existsSync(join(project.folder, "runs/echo")), "options that make no job leave no run directory");
  const shared = await runMuster(["map", "echo", ":::", "a"], { cwd: "/tmp" });
  t.match(shared, { code: 64, err: /Make a folder for the program/ });
});
