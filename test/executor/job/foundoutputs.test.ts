import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import t from "tap";
import {
  findGlobFault,
  isFoundBy,
  isGlob,
  isValidGlob,
  parseFoundOutputs,
} from "../../../executor/job/foundoutputs.js";

const FILES = [
  "a.srt",
  "b.srt",
  "B.SRT",
  ".hidden.srt",
  "a.txt",
  "x+y (1).txt",
  "[a].txt",
  "a^b.txt",
  "-.txt",
  "out/a.png",
  "out/deep/b.png",
  "out/deep/er/c.png",
  "out/.secret/d.png",
  "out/deep/.e.png",
  "é.txt",
  "日本.txt",
  "a\\b.txt",
];

const GLOBS = [
  "*.srt",
  "?.srt",
  "*",
  "[ab].srt",
  "[!a].srt",
  "[^a].srt",
  "[a-c].txt",
  "[[]a].txt",
  "[]-]*.txt",
  "*(1).txt",
  "x+y*",
  "*^b.txt",
  "out/*.png",
  "out/*/*.png",
  "out/**/*.png",
  "**/*.png",
  "out/**",
  "**/b.png",
  "out/d*p/*",
  "?.txt",
  "??.txt",
  ".*.srt",
  "out/.s*/*",
  "nothing*",
  "{a,b}*.srt",
];

/** What bash makes of a glob in a folder: only regular files, as outputs have it. */
function matchWithBash(folder: string, glob: string): string[] {
  const escaped = glob.replace(/[ (){},+\\]/g, "\\$&");
  const script = `shopt -s globstar nullglob; for name in ${escaped}; do [ -f "$name" ] && printf '%s\\0' "$name"; done; true`;
  const env = { ...process.env, LC_ALL: "C.UTF-8" };
  const out = execFileSync("bash", ["-c", script], { cwd: folder, env, encoding: "utf8" });
  return [...new Set(out.split("\0").filter((name) => name !== ""))].sort();
}

/** What Python, which the agent is written in, makes of the patterns. */
function matchWithPython(patterns: string[]): string[][] {
  const script =
    "import json, re, sys\npatterns, names = json.load(sys.stdin)\n" +
    "print(json.dumps([[name for name in names if re.compile(one).fullmatch(name)] for one in patterns]))";
  const input = JSON.stringify([patterns, FILES]);
  return JSON.parse(execFileSync("python3", ["-W", "error", "-c", script], { input, encoding: "utf8" })) as string[][];
}

t.test("a glob matches the files that bash matches, in JavaScript and in Python", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "muster-glob-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  for (const file of FILES) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), "");
  }
  // Below `base` the pattern applies; with the base "." it is the whole glob.
  const inPython = matchWithPython(GLOBS.map((glob) => parseFoundOutputs(`./${glob}`, { atLeast: 1 }).pattern ?? ""));
  for (const [index, glob] of GLOBS.entries()) {
    const found = parseFoundOutputs(glob, { atLeast: 1 });
    const expected = matchWithBash(folder, glob);
    t.same(FILES.filter((file) => isFoundBy(found, file)).sort(), expected, `${glob} as in bash`);
    const base = found.base === "." ? "" : `${found.base}/`;
    const below = parseFoundOutputs(glob, { atLeast: 1 }).pattern!;
    const [names] = base === "" ? [inPython[index]!] : matchWithPython([`${base}${below}`]);
    t.same([...names!].sort(), expected, `${glob} in Python`);
  }
});

t.test("any text is a glob that both languages can compile and agree on, or is refused", async (t) => {
  const part = fc.string({ unit: fc.constantFrom(..."ab*?[]!^-.{}()+|\\$é 0"), minLength: 1, maxLength: 8 });
  const globs = fc.sample(
    fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/")),
    { numRuns: 400, seed: 16 },
  );
  const valid = globs.filter((glob) => isGlob(glob) && isValidGlob(parseFoundOutputs(glob, { atLeast: 1 })));
  t.ok(valid.length > 100, `${valid.length} of them are globs`);
  const inner = (glob: string) => parseFoundOutputs(glob, { atLeast: 1 }).pattern!;
  const inPython = matchWithPython(valid.map(inner));
  const differing = valid.filter((glob, index) => {
    const pattern = new RegExp(`^(?:${inner(glob)})$`, "u");
    return JSON.stringify(FILES.filter((file) => pattern.test(file))) !== JSON.stringify(inPython[index]);
  });
  t.same(differing, []);
});

t.test("base, depth and counts", async (t) => {
  const parse = (text: string) => parseFoundOutputs(text, { atLeast: 1 });
  t.match(parse("out/"), { written: "out/", base: "out", pattern: undefined, depth: undefined });
  t.match(parse("out/a/*.x"), { base: "out/a", depth: 1 });
  t.match(parse("../out/*/b?"), { base: "../out", depth: 2 });
  t.match(parse("**/*.x"), { base: ".", depth: undefined });
  t.same(parseFoundOutputs("*", { atLeast: 0, atMost: 3 }), { ...parse("*"), atLeast: 0, atMost: 3 });
  t.ok(isFoundBy(parse("../out/"), "../out/a/b"));
  t.notOk(isFoundBy(parse("out/"), "outside"));
  t.notOk(isFoundBy(parse("out/"), "out"));
  const [file, folders] = [parse("out/a.b"), parse("out*/")];
  t.match(file, { base: "out", depth: 1 });
  t.same(
    ["out/a.b", "out/a+b", "out/a.b/c", "a.b"].map((path) => isFoundBy(file, path)),
    [true, false, false, false],
  );
  t.same(
    ["out1/a", "out1/a/b", "out1", "other/a"].map((path) => isFoundBy(folders, path)),
    [true, true, false, false],
  );
});

t.test("what shells expand and globs here do not is reported, with what to write instead", async (t) => {
  t.same(findGlobFault("out/*.{png,jpg}"), {
    message: "has alternatives in braces, which are not expanded",
    hint: 'write "out/*.png", "out/*.jpg"',
  });
  t.match(findGlobFault("[[:alpha:]]*"), { message: "has the class [:alpha:], which globs here do not have" });
  for (const text of ["{a}.txt", "a,b.txt", "[:a]*", "[{]a,b}*", "out/"]) t.equal(findGlobFault(text), undefined, text);
});
