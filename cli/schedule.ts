import { join, resolve } from "node:path";
import { readCrontab, writeCrontab } from "../executor/cron/crontab.js";
import { findBlockLines, putBlock, removeBlock } from "../executor/cron/crontabblock.js";
import { formatCrontabLine } from "../executor/cron/crontabline.js";
import type { CronSchedule } from "../executor/cron/expression.js";
import type { Pipeline } from "../executor/pipeline/pipeline.js";
import { findInventory, type Inventory, selectFleet } from "../fleet/inventory.js";
import { toPrintableText } from "../report/format.js";
import { formatSchedule, type ScheduledEntry } from "../report/scheduletext.js";
import type { Writers } from "../report/writers.js";
import { MusterError, UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { suggest } from "../schemas/suggest.js";
import { programFolder } from "../templates/programfolder.js";
import type { CommonOptions } from "./options.js";
import { loadCheckedPipeline } from "./runpipeline.js";

const ACTIONS = ["show", "install", "remove"];
const NEXT_TIMES_SHOWN = 3;

/** `muster schedule show|install|remove PIPELINE...`: manages the crontab entries of this user. Returns the exit status. */
export async function schedule(
  action: string,
  files: string[],
  options: CommonOptions,
  writers: Writers,
): Promise<number> {
  if (!ACTIONS.includes(action))
    throw new UsageError(`schedule ${action}: it must be show, install or remove`, suggest(action, ACTIONS));
  const print = (text: string) => {
    if (!options.quiet && !options.json) writers.out(text);
  };
  if (action === "remove") return removeEntries(files, print);
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  selectFleet(inventory, options.limit);
  const before = action === "show" ? readCrontabOrWarn(writers) : readCrontab();
  let crontab = before;
  const shown: ScheduledEntry[] = [];
  for (const file of files) {
    const pipeline = await loadCheckedPipeline(resolve(file), inventory);
    const entries = buildEntries(pipeline, inventory, options.limit);
    const lines = [
      `# ${pipeline.name}: installed by \`muster schedule install\`; remove it with \`muster schedule remove\``,
      ...entries.map(({ line }) => line),
    ];
    const current = findBlockLines(before, pipeline.file);
    const installed: ScheduledEntry["installed"] =
      current === undefined ? "no" : current.join("\n") === lines.join("\n") ? "yes" : "differs";
    crontab = putBlock(crontab, { key: pipeline.file, lines });
    shown.push(...entries.map((entry) => ({ ...entry, installed: action === "install" ? "yes" : installed })));
    if (action === "install") print(`${pipeline.name}: ${installed === "yes" ? "already installed" : "installed"}`);
  }
  if (action === "install" && crontab !== before) writeCrontab(crontab);
  if (options.json) writers.out(formatJson({ entries: shown }, 2));
  else print(formatSchedule(shown));
  return 0;
}

/** Reads the crontab for `show`, which is useful even where cron is not installed: an error is only printed. */
function readCrontabOrWarn(writers: Writers): string {
  try {
    return readCrontab();
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    writers.err(toPrintableText([`${error.message}${error.next === undefined ? "" : `\n${error.next}`}`]));
    return "";
  }
}

/** Removes the entries of pipelines, including those whose file no longer exists. */
function removeEntries(files: string[], print: (text: string) => void): number {
  const before = readCrontab();
  let crontab = before;
  for (const file of files) {
    const key = resolve(file);
    print(`${file}: ${findBlockLines(crontab, key) === undefined ? "was not installed" : "removed"}`);
    crontab = removeBlock(crontab, key);
  }
  if (crontab !== before) writeCrontab(crontab);
  return 0;
}

/** Returns an entry for the pipeline and for each step that has a schedule. Throws NO_SCHEDULE (65) where there is none. */
function buildEntries(
  pipeline: Pipeline,
  inventory: Inventory,
  limit: string | undefined,
): Omit<ScheduledEntry, "installed">[] {
  const main = join(programFolder(), "cli", "main.js");
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
  throw new MusterError("NO_SCHEDULE", `${pipeline.file}: neither the pipeline nor a step of it has a \`schedule\``, {
    next: 'For example `schedule: "0 2 * * *"`, beside `steps` or in one of them.',
  });
}
