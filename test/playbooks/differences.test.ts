import t from "tap";
import { diffFile } from "../../playbooks/engine/fileresource.js";
import { diffFolder } from "../../playbooks/engine/folderresource.js";
import type { FileState, TreeState } from "../../playbooks/engine/resource.js";
import { diffTree, findStalePaths, type WantedEntry, type WantedTree } from "../../playbooks/engine/tree.js";
import { unifiedDiff } from "../../playbooks/engine/unifieddiff.js";
import { findSpaceProblem, noteRemoval } from "../../playbooks/ramdisk.js";
import { formatEnvironment, formatProfile } from "../../playbooks/rocm-env.js";

const A = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"; // of "a"
const good: FileState = { kind: "file", mode: 0o644, owner: "root", group: "wheel", size: 1, sha256: A };
const texts = (found: { what: string; have: string; want: string }[]) =>
  found.map(({ what, have, want }) => `${what}: ${have} -> ${want}`);

t.test("files: want + have -> differences", async (t) => {
  const want = { path: "/f", bytes: Buffer.from("a"), mode: 0o644, owner: "root:wheel" };
  const wanted = "1 byte, sha256 ca978112ca1b";
  const table: [string, Partial<FileState>, string[]][] = [
    ["right", {}, []],
    ["missing", { kind: "missing" }, [`file: missing -> ${wanted}`]],
    ["a folder", { kind: "folder" }, [`file: a folder -> ${wanted}`]],
    ["a link", { kind: "link", target: "/x" }, [`file: a link to /x -> ${wanted}`]],
    ["a device", { kind: "other" }, [`file: a device, pipe or socket -> ${wanted}`]],
    ["not readable", { error: "Permission denied" }, ["file: cannot be read: Permission denied -> a file"]],
    ["content", { size: 2, sha256: "ff" }, [`content: 2 bytes, sha256 ff -> ${wanted}`]],
    ["mode", { mode: 0o4755 }, ["mode: 04755 -> 0644"]],
    ["owner", { owner: "x" }, ["owner: x:wheel -> root:wheel"]],
    ["group", { group: "x" }, ["owner: root:x -> root:wheel"]],
    [
      "all at once",
      { sha256: "f", mode: 0, owner: "x" },
      [`content: 1 byte, sha256 f -> ${wanted}`, "mode: 00 -> 0644", "owner: x:wheel -> root:wheel"],
    ],
    [
      "a node that says nothing",
      { mode: undefined, owner: undefined, sha256: undefined },
      [`content: 1 byte, sha256 ? -> ${wanted}`, "mode: ? -> 0644", "owner: undefined:wheel -> root:wheel"],
    ],
  ];
  for (const [name, change, found] of table) t.same(texts(diffFile({ ...good, ...change }, want)), found, name);
  const other = { ...good, sha256: "f", content: Buffer.from("b\n").toString("base64") };
  t.match(diffFile(other, want)[0]?.diff, /^--- \/f\thave\n\+\+\+ \/f\twant\n@@ -1,1 \+1,1 @@\n-b\n\+a\n/);
  t.equal(diffFile(other, { ...want, secret: true })[0]?.diff, undefined, "secret");
  t.same(diffFile({ ...good, mode: 0, owner: "x" }, { path: "/f", bytes: want.bytes }), [], "any mode and owner");
});

t.test("folders: want + have -> differences", async (t) => {
  const have: FileState = { kind: "folder", mode: 0o755, owner: "root", group: "root" };
  t.same(diffFolder(have, { mode: 0o755, owner: "root" }), []);
  t.same(texts(diffFolder(have, { mode: 0o700, owner: "rig" })), ["mode: 0755 -> 0700", "owner: root -> rig"]);
  t.same(texts(diffFolder({ kind: "file" }, {})), ["folder: a file -> a folder"]);
});

t.test("folder trees: want + have -> differences", async (t) => {
  const file = (sha256: string) => ({ kind: "file", local: "", size: 1, sha256, mode: 0o644 }) as const;
  const want: WantedTree = new Map<string, WantedEntry>([
    ["d", { kind: "folder" }],
    ["d/a", file(A)],
    ["constructor", file(A)],
  ]);
  const right: TreeState = { ".": { kind: "folder" }, d: { kind: "folder" }, "d/a": good, constructor: good };
  t.same(diffTree(right, want), []);
  t.same(findStalePaths(right, want), []);
  t.same(findStalePaths({ ...right, old: { kind: "folder" }, "old/x": good, "d/b": good }, want), ["d/b", "old"]);
  t.same(texts(diffTree({ ".": { kind: "link", target: "/etc" } }, want)), ["folder: a link to /etc -> a folder"]);
  t.same(diffTree({ ".": { kind: "missing" } }, want).length, 3);
  t.same(texts(diffTree({ ".": { kind: "missing" } }, new Map())), ["folder: missing -> a folder"]);
  t.same(texts(diffTree({ ...right, "d/a": { ...good, sha256: "f", mode: 0o600 } }, want)), [
    "d/a: content: 1 byte, sha256 f -> 1 byte, sha256 ca978112ca1b",
    "d/a: mode: 0600 -> 0644",
  ]);
});

t.test("diffs are shown of text files, as long as they are short", async (t) => {
  t.equal(unifiedDiff("f", Buffer.from([0, 1]), Buffer.from("a")), undefined);
  t.equal(unifiedDiff("f", Buffer.from([0xff, 0xfe]), Buffer.from("a")), undefined);
  t.equal(unifiedDiff("f", Buffer.from("a"), Buffer.alloc(2 ** 21, "a")), "(no diff: larger than 1 MiB)");
  const long = unifiedDiff("f", Buffer.from(""), Buffer.from("line\n".repeat(2000)))!
    .trimEnd()
    .split("\n");
  t.same([long.length, long.at(-2), long.at(-1)], [501, "+line", "(1,503 more lines of this diff are left out)"]);
});

t.test("diffs in folder trees: new files, large files, and a limit for all of them", async (t) => {
  const texts: Record<string, string> = { new: "a\n", changed: "b\n" };
  const entry = (local: string, size = 2) => ({ kind: "file", local, size, sha256: local, mode: 0o644 }) as const;
  const changed: FileState = { ...good, sha256: "x", content: Buffer.from("c\n").toString("base64") };
  const have: TreeState = {
    ".": { kind: "folder" },
    changed,
    unsent: { ...good, sha256: "x" },
    large: { ...good, sha256: "x", size: 2 ** 21 },
  };
  const want: WantedTree = new Map<string, WantedEntry>([
    ["new", entry("new")],
    ["changed", entry("changed")],
    ["unsent", entry("new")],
    ["large", entry("large")],
  ]);
  const read = (local: string) => Buffer.from(texts[local]!);
  const diffs = diffTree(have, want, read).map(({ diff }) => diff);
  t.match(diffs[0], /^--- new\thave\n\+\+\+ new\twant\n@@ -0,0 \+1,1 @@\n\+a\n/);
  t.match(diffs[1], /\n-c\n\+b\n/);
  t.match(diffs.slice(2), [/^\(no diff: more than 16 MiB/, /^\(no diff: larger than 1 MiB\)$/]);
  const many: WantedTree = new Map(Array.from({ length: 12 }, (_, n) => [`${n}`, entry("long", 5000)]));
  const all = diffTree({ ".": { kind: "missing" } }, many, () => Buffer.from("line\n".repeat(1000)));
  t.same(
    all.map(({ diff }) => diff?.startsWith("---")),
    [...Array(10).fill(true), false, false],
  );
  t.equal(all.at(-1)?.diff, "(no diff: those of the files above have 5,000 lines)");
});

t.test("a ramdisk that does not fit is rejected with the reason", async (t) => {
  const room = { free: 1e9, available: 1e9 };
  t.equal(findSpaceProblem(1000, room), undefined);
  t.match(findSpaceProblem(1000, { ...room, free: 999 }), /the file system has only 999 B left/);
  t.match(findSpaceProblem(1000, { ...room, available: 6e7 }), /57\.2 MiB of memory are available/);
});

t.test("logind settings that remove files are recognized", async (t) => {
  const said = (stdout: string) => noteRemoval({ exit: 0, stdout, stderr: "" }).length;
  t.equal(said("1000\nb true\nLinger=no\n"), 1);
  t.equal(said("1000\nb true\n"), 1, "a user whom logind does not know lingers not");
  t.equal(said("1000\nb true\nLinger=yes\n"), 0);
  t.equal(said("1000\nb false\nLinger=no\n"), 0);
  t.equal(said("0\nb true\nLinger=no\n"), 0, "system users are spared");
  t.equal(said(""), 0, "not known");
});

t.test("hostile values of an environment are quoted in each file format", async (t) => {
  const hostile: [string, string][] = [["A", 'it\'s $(x) "q" \\']];
  t.match(formatProfile(hostile), `export A='it'\\''s $(x) "q" \\'\n`);
  t.match(formatEnvironment(hostile), 'A="it\'s $$(x) \\"q\\" \\\\"\n');
});
