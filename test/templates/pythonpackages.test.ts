import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { TestFolder } from "../cli/startmuster.js";
import { projectRoot } from "../lab/project.js";
import { writeWheel } from "../playbooks/wheelfile.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

const PROGRAM = readFileSync(join(projectRoot(), "templates/muster_env/packages.py"), "utf8");
const site = join(shop.folder, "site");
const wheels = join(shop.folder, "wheels");

interface Answer {
  problems: { what: string; have: string; want: string }[];
  unchecked: string[];
}

/** Compares what is in `site` with requirements. `program`: the program's text. */
function compare(wanted: string[], program = PROGRAM): Answer {
  const options = { input: JSON.stringify({ wanted, project: false }), env: { ...process.env, PYTHONPATH: site } };
  const output = execFileSync("/usr/bin/python3", ["-c", program], { ...options, encoding: "utf8" });
  return JSON.parse(output.slice(output.indexOf("muster-packages ") + "muster-packages ".length));
}

const problems = (wanted: string[], program?: string) =>
  compare(wanted, program).problems.map(({ what, have, want }) => `${what}: ${have}, ${want}`);

/** Without any package that can evaluate requirements. */
const PLAIN = PROGRAM.replace(/^VENDORED = .*$/m, "VENDORED = []").replaceAll("pip-*.whl", "no-*.whl");

writeWheel(wheels, {
  name: "Big_Sieve",
  version: "1.0",
  requires: ["digits>=2", 'fast; extra == "fast"', 'never; python_version < "3"'],
});
writeWheel(wheels, { name: "digits", version: "2.5" });
for (const file of readdirSync(wheels)) execFileSync("python3", ["-m", "zipfile", "-e", join(wheels, file), site]);

t.test("versions, names, markers, extras, and what packages require", async (t) => {
  t.same(compare(["big-sieve==1.0", "BIG.SIEVE>=1,<2", "digits", "never; python_version < '3'"]), {
    problems: [],
    unchecked: [],
  });
  t.same(problems(["big-sieve==1.1", "digits>3", "other"]), [
    "big-sieve: 1.0, ==1.1",
    "digits: 2.5, >3",
    "other: not installed, installed",
  ]);
  t.same(problems(["big-sieve[fast]"]), ["fast: not installed, installed (for big-sieve)"]);
  t.same(compare(["git+https://example.invalid/a.git", "digits @ https://example.invalid/d.whl"]).unchecked, [
    "git+https://example.invalid/a.git",
    "digits @ https://example.invalid/d.whl",
  ]);
});

t.test("without pip only exact versions are compared, and the rest is named", async (t) => {
  t.same(problems(["big-sieve==1.1", "digits==2.5", "other>1"], PLAIN), [
    "big-sieve: 1.0, ==1.1",
    "other: not installed, installed",
  ]);
  t.same(compare(["digits>=2", "digits; python_version > '3'"], PLAIN).unchecked, [
    "digits>=2",
    "digits; python_version > '3'",
  ]);
});

t.test("a package without its files is not in order", async (t) => {
  rmSync(join(site, "digits.py"));
  t.same(problems(["big-sieve"]), ["digits: 2.5 without digits.py, all of its files"]);
});
