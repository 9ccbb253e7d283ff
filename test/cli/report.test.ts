import { cpSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import t from "tap";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, TestFolder, waitForExit } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());
const report = (...words: string[]) => runMuster(["report", ...words], { cwd: shop.folder });

shop.write("w.sh", '#!/bin/sh\n[ "$1" != 2 ] || { echo "no <two>" >&2; exit 7; }\necho "$1" >n\n', 0o755);
const job = (name: string, more: object = {}) =>
  shop.write(`${name}.yaml`, {
    name,
    kind: "matrix",
    matrix: { n: [0, 6] },
    script: "w.sh",
    args: ["{n}"],
    outputs: ["n"],
    retry: { attempts: 2, backoff: "10ms" },
    ...more,
  });

t.test("a finished run: on the terminal, as JSON, as an HTML page", async (t) => {
  t.equal((await runMuster(["run", job("some"), "-i", "local"])).code, 3);
  const text = await report("some");
  t.equal(text.code, 0, text.err);
  t.match(text.out, /^some: partial: 5 chunks done, 1 failed\n[\s\S]*2 attempts failed\n/);
  t.match(text.out, /failed: chunk n=2 on .* attempt 2: exit code 7\n {4}no <two>\n/);
  t.notMatch(text.out, /\nnote: /, "nothing is missing");
  const document = JSON.parse((await report("runs/some", "--json")).out);
  t.match(document, { name: "some", state: "partial", units: { done: "5", total: "6" }, missing: [] });
  const [node] = document.nodes;
  t.match(node, { chunks: 5, units: "5", failed: 2 });
  t.equal(
    node.slots.reduce((sum: number, slot: { chunks: number }) => sum + slot.chunks, 0),
    5,
  );
  t.match(
    document.tried.map(({ chunk, attempt }: { chunk: string; attempt: number }) => [chunk, attempt]),
    [
      ["n=2", 1],
      ["n=2", 2],
    ],
  );
  const page = await report("some", "--html", "some.html");
  t.match(page, { code: 0, out: "", err: "wrote some.html\n" });
  const html = shop.read("some.html");
  t.match(html, "no &lt;two&gt;");
  t.equal(html.match(/<rect class="ran"/g)?.length, 5);
});

t.test("failed attempts have their width and count as busy", async (t) => {
  shop.write("slow.sh", '#!/bin/sh\nsleep 0.3\n[ "$1" != 0 ] || exit 7\necho "$1" >n\n', 0o755);
  const file = job("slower", { script: "slow.sh", matrix: { n: [0, 2] } });
  t.equal((await runMuster(["run", file, "-i", "local"])).code, 3);
  const document = JSON.parse((await report("slower", "--json")).out);
  for (const { from, at, seconds } of document.tried) t.ok(seconds >= 0.28 && at - from >= 0.27, `${from} to ${at}`);
  t.equal(document.tried.length, 2);
  t.ok(document.nodes[0].busy >= 0.88, `busy for ${document.nodes[0].busy} s`);
  const journal = shop.read("runs/slower/journal.ndjson");
  t.match(journal, /"e":"done"[^\n]*"ended":[\d.]+/);
});

t.test("a journal of an older muster is reported as before", async (t) => {
  const journal = shop.read("runs/slower/journal.ndjson");
  const older = journal
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/,"crc":"\w+"}$/, "}").replace(/,"(ended|seconds)":[\d.]+/g, ""))
    .map((line) => `${line.slice(0, -1)},"crc":"${crc32(line.slice(0, -1)).toString(16).padStart(8, "0")}"}\n`);
  cpSync(join(shop.folder, "runs/slower"), join(shop.folder, "runs/older"), { recursive: true });
  shop.write("runs/older/journal.ndjson", older.join(""));
  const document = JSON.parse((await report("older", "--json")).out);
  t.match(document, { state: "partial", nodes: [{ chunks: 1, failed: 2 }] });
  for (const { from, at } of document.tried) t.equal(from, at);
  t.equal((await report("older", "--html", "older.html")).code, 0);
});

t.test("what ran when the session ended is shown without an end", async (t) => {
  const gate = join(shop.folder, "gate2");
  shop.write("h.sh", `#!/bin/sh\nwhile [ ! -e ${gate} ]; do sleep 0.1; done\necho "$1" >n\n`, 0o755);
  const file = job("held", { script: "h.sh", matrix: { n: [0, 1] } });
  const child = startMuster(["run", file, "-i", "local"]);
  const end = waitForExit(child);
  const live = join(shop.folder, "runs/held/live.json");
  await waitUntil("the coordinator knows that the chunk runs", () =>
    /"chunk": ?"n=0"/.test(existsSync(live) ? readFileSync(live, "utf8") : ""),
  );
  child.kill("SIGINT");
  t.equal((await end).code, 130);
  const interrupted = JSON.parse((await report("held", "--json")).out);
  t.match(interrupted.stopped, [{ chunk: "n=0", attempt: 1, why: "session ended" }]);
  t.equal((await report("held", "--html", "held.html")).code, 0);
  t.match(shop.read("held.html"), /<rect class="running"[^>]*><title>chunk n=0, attempt 1: had run for /);
  shop.write("gate2", "");
  t.equal((await runMuster(["run", file, "-i", "local"])).code, 0);
  const resumed = JSON.parse((await report("held", "--json")).out);
  t.match(resumed, { stopped: [], sessions: [{ number: 1 }, { number: 2 }], nodes: [{ chunks: 1 }] });
});

t.test("a running run is reported and not disturbed", async (t) => {
  const gate = join(shop.folder, "gate");
  shop.write("g.sh", `#!/bin/sh\nwhile [ "$1" = 5 ] && [ ! -e ${gate} ]; do sleep 0.1; done\necho "$1" >n\n`, 0o755);
  const child = startMuster(["run", job("slow", { script: "g.sh" }), "-i", "local"]);
  const end = waitForExit(child);
  const journal = join(shop.folder, "runs/slow/journal.ndjson");
  const done = () => (existsSync(journal) ? readFileSync(journal, "utf8").split('"e":"done"').length - 1 : 0);
  await waitUntil("all but one are done", () => done() === 5);
  const { out } = await report("slow", "--json");
  t.match(JSON.parse(out), { state: "running", nodes: [{ chunks: 5 }] });
  shop.write("gate", "");
  t.equal((await end).code, 0);
});

t.test("a pipeline: its steps, and the commands for the reports of their jobs; as a page", async (t) => {
  const steps = { first: { job: "some.yaml" }, after: { command: ["true"] } };
  const file = shop.write("p.yaml", { kind: "pipeline", steps });
  await runMuster(["run", file, "-i", "local"]);
  const text = await report("p");
  t.equal(text.code, 0, text.err);
  t.match(text.out, /first: partial, .*\n[\s\S]*\n {2}muster report runs\/p\/first$/m);
  t.equal((await report("p/first")).code, 0);
  t.match(await report("p", "--html", "p.html"), { code: 0, out: "", err: "wrote p.html\n" });
  const page = shop.read("p.html");
  t.match(page, /<h1>p: partial: 1 of 2 steps done, 1 failed<\/h1>/);
  t.match(page, /<rect class="failed"[^>]*><title>first: partial, /);
  t.match(page, /<td>after<\/td>\n<td>complete<\/td>/);
  t.match(page, /<summary>first: \S+: partial: 5 chunks done, 1 failed<\/summary>/);
  t.equal(page.match(/<rect class="ran"/g)?.length, 6, "the step that is complete, and the chunks of the job");
});

t.test("a missing or ambiguous run is an error", async (t) => {
  t.match(await report("nowhere"), { code: 64, err: /nowhere: is neither a run directory nor the name of one/ });
  t.match(await report(), { code: 64, err: /there are 6 runs here; name one/ });
  t.match(await report("some", "--html", "no/such/place.html"), {
    code: 3,
    err: /cannot write the page: no\/such\/place\.html: there is no such folder/,
  });
});
