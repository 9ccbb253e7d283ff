import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { splitFileList } from "../../fleet/ssh/filelist.js";

const WHERE = { node: "rig", step: "ssh configuration" };

t.test("a list of known_hosts files is split as far as it is clear", async (t) => {
  const dir = t.testdir({});
  const cases: [what: string, existing: string[], list: string, files: string[] | "ambiguous"][] = [
    ["none", [], "none", []],
    ["one", ["a"], "DIR/a", ["a"]],
    ["two", ["a", "b"], "DIR/a DIR/b", ["a", "b"]],
    ["two that are missing", [], "DIR/a DIR/b", ["a", "b"]],
    ["a path with a blank", ["a b"], "DIR/a b", ["a b"]],
    ["a path with two blanks, then another", ["a  b", "c"], "DIR/a  b DIR/c", ["a  b", "c"]],
    ["a path with a blank that is missing", [], "DIR/a b", ["a b"]],
    ["both readings exist", ["a", "a b"], "DIR/a b", "ambiguous"],
    ["only the other reading exists", ["a"], "DIR/a b", "ambiguous"],
  ];
  for (const [index, [what, existing, list, files]] of cases.entries()) {
    const folder = join(dir, String(index));
    mkdirSync(folder);
    for (const name of existing) writeFileSync(join(folder, name), "");
    const split = () => splitFileList("UserKnownHostsFile", list.replaceAll("DIR", folder), WHERE);
    if (files === "ambiguous") t.throws(split, { code: "CONFIG", message: /UserKnownHostsFile .* is ambiguous/ }, what);
    else
      t.same(
        split(),
        files.map((name) => join(folder, name)),
        what,
      );
  }
});

t.test("paths of the home folder begin a path, too, and are expanded", async (t) => {
  const expand = (path: string) => path.replace(/^~/, "/home/me");
  t.same(splitFileList("UserKnownHostsFile", "~/.ssh/known_hosts ~/.ssh/known_hosts2", WHERE, expand), [
    "/home/me/.ssh/known_hosts",
    "/home/me/.ssh/known_hosts2",
  ]);
});

t.test("a path that holds a blank and a slash is never read as two files without notice", async (t) => {
  const dir = t.testdir({ "a ": { b: "" }, a: "" });
  t.throws(() => splitFileList("UserKnownHostsFile", `${dir}/a /b`, WHERE), { code: "CONFIG" });
});
