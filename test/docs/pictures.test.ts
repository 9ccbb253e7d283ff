import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { renderDocument } from "../../report/page/document.js";
import { projectRoot } from "../lab/project.js";
import { drawDispatch, readDispatchTable } from "../pictures/dispatchpicture.js";
import { drawReport } from "../pictures/reportpicture.js";
import { drawTerminal } from "../pictures/terminalpicture.js";

const MAX_PICTURE_BYTES = 40_000;
const read = (path: string) => readFileSync(join(projectRoot(), path), "utf8");
const picture = (name: string) => read(`docs/pictures/${name}.svg`);
const findStyle = (text: string) => /<style>([\s\S]*?)@media/.exec(text)?.[1]?.trim();

t.test("the chart has the figures of bench/README.md", async (t) => {
  const figures = readDispatchTable(read("bench/README.md"));
  t.ok(figures.length >= 4);
  t.equal(picture("dispatch"), drawDispatch(figures), "run `npm run pictures`");
  const table =
    "x\n\n| dispatch | chunks | chunks/s | right |\n|---|---|---|---|\n| a & b | 9 | 30, 10, 20 | all |\n\n";
  t.same(readDispatchTable(table), [{ name: "a & b", chunksPerSecond: 20 }]);
  t.match(drawDispatch(readDispatchTable(table)), "a &amp; b");
  t.throws(() => readDispatchTable("# no table\n"), /no table/);
});

t.test("the picture of the report has the colours of the page", async (t) => {
  const page = renderDocument("t", [], []);
  t.ok(findStyle(page));
  t.equal(findStyle(picture("report")), findStyle(page), "run `npm run pictures`");
  t.match(picture("report"), /class="ran"/);
  t.throws(() => drawReport(page), /no timeline/);
});

t.test("the picture of the live view has its lines", async (t) => {
  const lines = [...picture("live-view").matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map((match) => match[1]!);
  t.equal(lines[0], "$ muster run job.yaml");
  t.ok(
    lines.some((line) => /^sieve \[#+-*\] [\d.]+ %/.test(line)),
    "it was captured while the run went on",
  );
  t.match(drawTerminal(["a <b>", "", "c"], 80, "x"), /a &lt;b&gt;/);
});

t.test("the pictures are small, and load nothing", async (t) => {
  for (const name of ["dispatch", "live-view", "report"]) {
    t.ok(Buffer.byteLength(picture(name)) < MAX_PICTURE_BYTES, name);
    t.notMatch(picture(name), /href|url\(|<script|<image/, name);
  }
});
