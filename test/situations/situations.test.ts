import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../lab/project.js";
import { INVALID_FILES } from "./invalidfiles.js";
import { NODES } from "./nodes.js";
import { RUNS } from "./runs.js";
import { playSituation, type Situation } from "./situation.js";
import { WRONG_USAGE } from "./wrongusage.js";

const CHAPTERS: [name: string, title: string, situations: Situation[]][] = [
  ["wrongusage", "The command line is wrong", WRONG_USAGE],
  ["invalidfiles", "A file is invalid", INVALID_FILES],
  ["runs", "A run goes wrong", RUNS],
  ["nodes", "A node does not work", NODES],
];
const CONCURRENT = 3;

/** Plays situations, a few at a time, and returns their texts in order. */
async function playAll(situations: readonly Situation[]): Promise<string[]> {
  const texts: string[] = [];
  const queue = [...situations.entries()];
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift())
      texts[next[0]] = await playSituation(next[1]);
  };
  await Promise.all(Array.from({ length: CONCURRENT }, work));
  return texts;
}

for (const [name, title, situations] of CHAPTERS)
  t.test(`${title}: what is printed is as reviewed`, { timeout: 300_000 }, async (t) => {
    const file = join(projectRoot(), "test/situations", `${name}.md`);
    const text = `# ${title}\n\n${(await playAll(situations)).join("\n")}`;
    if (process.env.MUSTER_UPDATE_SITUATIONS === "1" || !existsSync(file)) writeFileSync(file, text);
    const [expected, actual] = [readFileSync(file, "utf8"), text].map((one) => one.split(/^(?=## )/m));
    for (const [index, part] of actual!.entries()) t.equal(part, expected![index], part.split("\n")[0] ?? "");
    t.equal(actual!.length, expected!.length);
  });

t.test("there are at least 60", async (t) => {
  t.ok(CHAPTERS.reduce((sum, [, , situations]) => sum + situations.length, 0) >= 60);
});
