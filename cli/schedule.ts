import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { readCrontab, writeCrontab } from "../executor/cron/crontab.js";
import { findBlockLines, putBlock, removeBlock } from "../executor/cron/crontabblock.js";
import { formatCrontabLine } from "../executor/cron/crontabline.js";
import type { CronSchedule } from "../executor/cron/expression.js";
import type { Pipeline } from "../executor/pipeline/pipeline.js";
import { findInventory, type Inventory, selectNodes } from "../fleet/inventory.js";
import { toPrintableText } from "../report/format.js";
import { formatSchedule, type ScheduledEntry } from "../report/scheduletext.js";
import type { Writers } from "../report/writers.js";
import { MusterError, UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { suggest } from "../schemas/suggest.js";
import type { CommonOptions } from "./options.js";
import { loadCheckedPipeline } from "./runpipeline.js";

const ACTIONS = ["show", "install", "remove"];
/** Times that are shown. */
const NEXT_TIMES_SHOWN = 3;

/** `muster schedule show|install|remove PIPELINE...`: crontab entries of this user. Answers the exit code. */
export async function schedule(
  what: string,
  files: string[],
  options: CommonOptions,
  writers: Writers,
): Promise<number> {
  if (!ACTIONS.includes(what))
    throw new UsageError(`schedule ${what}: it must be show, install or remove`, suggest(what, ACTIONS));
  const say = (text: string) => {
    if (!options.quiet && !options.json) writers.out(text);
  };
  if (what === "remove") return removeEntries(files, say);
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  selectNodes(inventory, options.limit);
  const before = what === "show" ? readCrontabOrWarn(writers) : readCrontab();
  let crontab = before;
  const shown: ScheduledEntry[] = [];
  for (const file of files) {
    const pipeline = await loadCheckedPipeline(resolve(file), inventory);
    const entries = buildEntries(pipeline, inventory, options.limit);
    const lines = [
      `# ${pipeline.name}: put here by \`muster schedule install\`; \`muster schedule remove\` takes it out`,
      ...entries.map(({ line }) => line),
    ];
    const there = findBlockLines(before, pipeline.file);
    const installed: ScheduledEntry["installed"] =
      there === undefined ? "no" : there.join("\n") === lines.join("\n") ? "yes" : "differs";
    crontab = putBlock(crontab, { key: pipeline.file, lines });
    shown.push(...entries.map((entry) => ({ ...entry, installed: what === "install" ? "yes" : installed })));
    if (what === "install") say(`${pipeline.name}: ${installed === "yes" ? "already installed" : "installed"}`);
  }
  if (what === "install" && crontab !== before) writeCrontab(crontab);
  if (options.json) writers.out(formatJson({ entries: shown }, 2));
  else say(formatSchedule(shown));
  return 0;
}

/** What is shown is worth something even where there is no cron. */
function readCrontabOrWarn(writers: Writers): string {
  try {
    return readCrontab();
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    writers.err(toPrintableText([`${error.message}${error.next === undefined ? "" : `\n${error.next}`}`]));
    return "";
  }
}

/** A pipeline that is not there any more can be taken out all the same. */
function removeEntries(files: string[], say: (text: string) => void): number {
  const before = readCrontab();
  let crontab = before;
  for (const file of files) {
    const key = resolve(file);
    say(`${file}: ${findBlockLines(crontab, key) === undefined ? "was not installed" : "removed"}`);
    crontab = removeBlock(crontab, key);
  }
  if (crontab !== before) writeCrontab(crontab);
  return 0;
}

/** What cron starts of a pipeline: itself, and its steps that have a schedule of their own. */
function buildEntries(
  pipeline: Pipeline,
  inventory: Inventory,
  limit: string | undefined,
): Omit<ScheduledEntry, "installed">[] {
  const main = fileURLToPath(new URL("./main.js", import.meta.url));
  const nodes = ["-i", inventory.file ?? "local", ...(limit === undefined ? [] : ["--limit", limit])];
  const entry = (what: string, schedule: CronSchedule, words: string[]) => ({
    what,
    schedule: schedule.text,
    next: schedule.next(new Date(), NEXT_TIMES_SHOWN).map((date) => date.toISOString()),
    line: formatCrontabLine(schedule, [process.execPath, main, "run", "--cron", ...words, ...nodes, pipeline.file]),
  });
  const entries = [
    ...(pipeline.schedule === undefined ? [] : [entry(pipeline.name, pipeline.schedule, [])]),
    ...pipeline.steps.flatMap(({ name, schedule }) =>
      schedule === undefined ? [] : [entry(`${pipeline.name}, step ${name}`, schedule, ["--only", name])],
    ),
  ];
  if (entries.length > 0) return entries;
  throw new MusterError(
    "NO_SCHEDULE",
    65,
    `${pipeline.file}: neither the pipeline nor a step of it has a \`schedule\``,
    {
      next: 'For example `schedule: "0 2 * * *"`, beside `steps` or in one of them.',
    },
  );
}
