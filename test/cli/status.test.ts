import { appendFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { committedChunks } from "../faults/checks.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, TestFolder, waitForExit } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

const json = async (...words: string[]) =>
  JSON.parse((await runMuster(["status", ...words, "--json"], { cwd: shop.folder })).out);
const stateOf = async (run: string) => (await json(run)).state;
const journal = (run: string) => join(shop.folder, "runs", run, "journal.ndjson");

t.test("complete and partial runs, from their run directories alone, in 80 columns", async (t) => {
  shop.write("w.sh", '#!/bin/sh\necho "out $1"; echo "err $1" >&2; [ "$1" != 2 ]\n', 0o755);
  const job = (name: string, matrix: object) => ({
    name,
    kind: "matrix",
    matrix,
    script: "w.sh",
    args: ["{n}"],
    retry: { attempts: 1 },
  });
  const all = shop.write("all.yaml", job("all", { n: [0, 2] }));
  const some = shop.write("some.yaml", job("some", { n: [0, 4] }));
  t.equal((await runMuster(["run", all, "-i", "local"])).code, 0);
  t.equal((await runMuster(["run", some, "-i", "local"])).code, 3);
  const { runs } = await json();
  t.match(runs, [
    { name: "all", state: "complete", chunks: { done: 2, failed: 0 }, units: { done: "2", total: "2" } },
    { name: "some", state: "partial", chunks: { done: 3, failed: 1 }, units: { done: "3", total: "4" } },
  ]);
  t.equal(runs[0].nodes.length, 1);
  const table = await runMuster(["status"], { cwd: shop.folder });
  t.match(
    table.out,
    /^run +state +done +failed +nodes +started +took\nall +complete +100 % .*\nsome +partial +75 % +1 /,
  );
  t.ok(table.out.split("\n").every((line) => line.length <= 80));
  t.equal(await stateOf("some"), "partial", "by its name in ./runs");
});

t.test("logs prints the output of a chunk", async (t) => {
  const both = await runMuster(["logs", "some", "n=2"], { cwd: shop.folder });
  t.equal(both.code, 0, both.err);
  t.equal(both.out, "out 2\nerr 2\n");
  t.equal((await runMuster(["logs", "runs/some", "n=3", "--err"], { cwd: shop.folder })).out, "err 3\n");
  const typo = await runMuster(["logs", "some", "n=7"], { cwd: shop.folder });
  t.equal(typo.code, 64);
  t.match(typo.err, /did you mean "n=\d"\?/);
  const unknown = await runMuster(["logs", "some", "chunk-9"], { cwd: shop.folder });
  t.match(unknown.err, /some: chunk "chunk-9" does not exist or has printed nothing\n.*known here: n=0, n=1/);
  t.equal((await runMuster(["logs", "some", "../journal"], { cwd: shop.folder })).code, 64, "only logs");
  t.equal((await runMuster(["logs", "nothing", "n=1"], { cwd: shop.folder })).code, 64);
});

t.test("running while the coordinator lives, interrupted after it was killed, complete in the end", async (t) => {
  const go = join(shop.folder, "go");
  const job = shop.write("wait.yaml", {
    name: "wait",
    kind: "matrix",
    matrix: { n: [0, 3] },
    command: ["sh", "-c", `[ $0 = 0 ] || until [ -e '${go}' ]; do sleep 0.1; done`],
    args: ["{n}"],
  });
  const first = startMuster(["run", job, "-i", "local"]);
  const firstEnded = waitForExit(first);
  await waitUntil("a chunk is done", () => committedChunks(join(shop.folder, "runs/wait")).length > 0);
  t.match(await json("wait"), {
    state: "running",
    chunks: { done: 1 },
    units: { done: "1", total: "3" },
    coordinator: { pid: first.pid },
  });
  first.kill("SIGKILL");
  await firstEnded;
  t.match(await json("wait"), { state: "interrupted", chunks: { done: 1 }, units: { done: "1" } });
  const liveFile = join(shop.folder, "runs/wait/live.json");
  const live = JSON.parse(readFileSync(liveFile, "utf8"));
  const { started } = (await json("wait")) as { started: string };
  const written = new Date(Date.parse(started) + 100_000).toISOString();
  writeFileSync(liveFile, JSON.stringify({ ...live, written }));
  t.match(await json("wait"), { seconds: 100 }, "it lived for longer than its journal says");
  writeFileSync(go, "");
  t.equal((await runMuster(["run", job, "-i", "local"])).code, 0);
  t.match(await json("wait"), { state: "complete", chunks: { done: 3 } });
});

t.test("a truncated record is dropped; a damaged record and a missing run are reported", async (t) => {
  appendFileSync(journal("all"), '{"n":9,"e":"do');
  t.equal(await stateOf("all"), "complete", "the rest still counts");
  truncateSync(journal("all"), 40);
  t.equal(await stateOf("all"), "new", "no record is whole");
  writeFileSync(journal("all"), `{"n":1,"e":"run"}\n${readFileSync(journal("some"), "utf8")}{"n":`);
  t.match(await json("all"), { state: "damaged", reason: /record 1 \(at byte 0\) is damaged/ });
  t.match((await runMuster(["status"], { cwd: shop.folder })).out, /all +damaged/, "and the others are still shown");
  t.match(await runMuster(["status", "nowhere"], { cwd: shop.folder }), { code: 64 });
  shop.write("empty/file", "");
  t.match((await runMuster(["status", "empty"], { cwd: shop.folder })).out, /^no runs/);
});
