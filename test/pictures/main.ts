/**
 * Makes the pictures of README.md: `npm run pictures` (as root, for the lab). Those of the live view and the report page are of one real run on
 * lab nodes with fake GPUs, one of which loses power for a moment; the chart is of the table in bench/README.md.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { startInTerminal } from "../cli/pseudoterminal.js";
import { runMuster, TestFolder, waitForExit } from "../cli/startmuster.js";
import { TerminalModel } from "../cli/terminalmodel.js";
import { type Lab, startLab } from "../lab/lab.js";
import { projectRoot } from "../lab/project.js";
import { waitUntil } from "../lab/waituntil.js";
import { drawDispatch, readDispatchTable } from "./dispatchpicture.js";
import { drawReport } from "./reportpicture.js";
import { drawTerminal } from "./terminalpicture.js";

const COLUMNS = 100;
const ROWS = 24;
const NODES = ["rig-1", "rig-2", "rig-3", "rig-4"];
/** How far the run is when a node loses power, and when the screen is captured, in percent. */
const POWER_CUT_PERCENT = 25;
const CAPTURE_PERCENT = 60;
const WORKER = `import time
import muster
for chunk in muster.chunks():
    for seeds in chunk.ranges(step=500):
        time.sleep((seeds.stop - seeds.start) / 5000)
    chunk.write("hits.json", [])
`;
const JOB = {
  name: "sieve",
  kind: "range",
  range: [0, 2_400_000],
  script: "sieve.py",
  outputs: ["hits.json"],
};

/** Runs the job and returns the screen while it ran, and its report page. */
async function captureRun(lab: Lab, folder: TestFolder): Promise<{ screen: string[]; page: string }> {
  folder.write("sieve.py", WORKER);
  folder.write("job.yaml", JOB);
  const model = new TerminalModel(COLUMNS, ROWS);
  const words = ["run", "job.yaml", "-i", lab.inventory()];
  const child = startInTerminal(words, { cwd: folder.folder, columns: COLUMNS, rows: ROWS });
  child.stdout!.on("data", (bytes) => model.write(`${bytes}`));
  const ended = waitForExit(child);
  const percent = () =>
    Math.max(0, ...model.screen.map((line) => Number(/^sieve \[[#-]+\] ([\d.]+) %/.exec(line)?.[1] ?? 0)));
  await waitUntil("the run is on its way", () => percent() >= POWER_CUT_PERCENT, 120);
  await lab.nodes[2]!.powerOff();
  await wait(3000);
  await lab.nodes[2]!.powerOn();
  await waitUntil("most of the run is done", () => percent() >= CAPTURE_PERCENT, 120);
  // Paths of the lab say nothing to a reader.
  const lines = model.screen.filter((line) => line !== "" && !/^(inventory|run directory): /.test(line));
  const { code, out } = await ended;
  if (code !== 0) throw new Error(`the run ended with ${code}: ${out}`);
  const page = join(folder.folder, "page.html");
  await runMuster(["report", "sieve", "--html", page], { cwd: folder.folder });
  return { screen: ["$ muster run job.yaml", ...lines], page: readFileSync(page, "utf8") };
}

const pictures = join(projectRoot(), "docs/pictures");
mkdirSync(pictures, { recursive: true });
const figures = readDispatchTable(readFileSync(join(projectRoot(), "bench/README.md"), "utf8"));
writeFileSync(join(pictures, "dispatch.svg"), drawDispatch(figures));
const lab = await startLab({ nodes: NODES, gpus: 4 });
const folder = new TestFolder();
try {
  const { screen, page } = await captureRun(lab, folder);
  writeFileSync(join(pictures, "live-view.svg"), drawTerminal(screen, COLUMNS, "The live view of a run in a terminal"));
  writeFileSync(join(pictures, "report.svg"), drawReport(page));
} finally {
  folder.remove();
  await lab.stop();
}
