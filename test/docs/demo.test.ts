import { execFileSync } from "node:child_process";
import t from "tap";
import { runMuster, TestFolder } from "../cli/startmuster.js";
import { findBlocks, readPage } from "./pages.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

t.test("the answer of README.md's demo is that of the run, and of Python", async (t) => {
  const block = findBlocks(readPage("README.md")).find(({ text }) => text.startsWith("$ cat "))!.text;
  const [, shown, program, numbers] = /^\$ cat .*\n([\s\S]*?)\n\$ python3 -c '(.*)'\n(.*)$/.exec(block)!;
  shop.example("sieve");
  const { code, err } = await runMuster(["run", "-i", "local", "sieve/job.yaml", "--range", "271000:272000"], {
    cwd: shop.folder,
  });
  t.equal(code, 0, err);
  t.equal(shop.read("sieve/runs/sieve/hits.json").trim(), shown);
  t.equal(execFileSync("python3", ["-c", program!], { encoding: "utf8" }).trim(), numbers);
});
