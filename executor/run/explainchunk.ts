import { type Inventory, matchesAnyPattern } from "../../fleet/inventory.js";
import { MusterError } from "../../schemas/errors.js";
import { parseRangeId } from "../job/chunkids.js";
import type { Chunk, Job } from "../job/job.js";
import type { Failure } from "../schedule/events.js";
import { type JudgedSlot, judgeSlots } from "./placementrules.js";
import { hasQueue, openRunQueue } from "./queue/findqueue.js";
import { type ChunkAttempt, listChunkAttempts, ON_REQUEST } from "./record/chunkattempts.js";
import type { LivePilot } from "./record/liverun.js";
import { loadRecordedJob } from "./record/recordedjob.js";
import { type RunReplay, replayRun } from "./record/replay.js";
import { readQueue } from "./record/rundir.js";
import { readRunHistory } from "./record/runhistory.js";
import type { RunStatus } from "./record/runstatus.js";

/** Everything that is known about one chunk of a run. */
export interface ChunkExplanation {
  run: string;
  chunk: string;
  /** `waiting`: no slot has it, or it is queued behind another chunk. `unfinished`: the same in a run that does not run. */
  state: "done" | "stopped" | "running" | "waiting" | "failed" | "unfinished" | "cancelled";
  runState: RunStatus["state"];
  attempts: ChunkAttempt[];
  /** Why it will not be tried again in this session. */
  failure?: Failure;
  /** Every slot, with the rules that refuse the chunk now; absent where the run does not run, or the chunk is done. */
  slots?: JudgedSlot[];
  /** Allocations of clusters that do not work yet, and might take it; absent where there are none, or it does not wait. */
  pilots?: LivePilot[];
  /** Why some rules could not be applied. */
  jobError?: string;
}

/**
 * Explains a chunk of the run in the directory `path`, from that directory and the inventory alone. `word`: its id, or of a range one of
 * its units. Returns undefined where the run has no such chunk. Rejects with JOURNAL_DAMAGED (65), or with the error of the file system.
 */
export async function explainChunk(
  path: string,
  word: string,
  findInventory: (recorded: string) => Inventory,
): Promise<ChunkExplanation | undefined> {
  const replay = replayRun(path);
  const history = await readRunHistory(path, Date.now());
  const { status } = history;
  const loaded = await loadInventoryAndJob(path, replay, findInventory);
  const { job, inventory, error: jobError, cancelled = [] } = loaded;
  const isRange = replay.header !== undefined && JSON.parse(replay.header.identity).kind === "range";
  const includes = isRange ? createRangeFilter(word) : (chunk: string) => chunk === word;
  const attempts = listChunkAttempts(history, includes);
  const failure = history.failures.findLast((one) => includes(one.chunk));
  const chunk = findChunk(word, job, isRange, attempts);
  if (chunk === undefined && failure === undefined) return undefined;
  const id = attempts.at(-1)?.chunk ?? failure?.chunk ?? chunk?.id ?? word;
  const units = job?.unitsOf(id);
  const isDone = attempts.some((one) => one.state === "done");
  // What was asked for while no coordinator was there is done by the next one.
  const isAskedFor = status.state !== "running" && !isDone && units !== undefined && cancelled.includes(units[0]);
  const isCancelled = isAskedFor || (units !== undefined && replay.cancelledUnits.overlaps(...units));
  const isStopped = history.unstartedStops.includes(id);
  const state = isCancelled ? "cancelled" : isStopped ? "stopped" : judgeState(status, attempts, failure);
  const isOpen = status.live !== undefined && (state === "running" || state === "waiting");
  const nodes = inventory?.nodes ?? [];
  const size = isRange && units !== undefined ? { units: Number(units[1] - units[0]) } : {};
  const judged = { id, gpu: chunk?.gpu, expectedSeconds: chunk?.expectedSeconds, ...size };
  const facts = { job, chunk: judged, nodes, isSelected: matchesAnyPattern, attempts, nowMs: Date.now() };
  return {
    run: status.name,
    chunk: id,
    state,
    runState: status.state,
    attempts,
    ...(failure === undefined || state === "done" || state === "stopped" ? {} : { failure }),
    ...(isOpen ? { slots: judgeSlots({ ...facts, live: status.live! }) } : {}),
    ...(state === "waiting" && status.live?.pilots !== undefined ? { pilots: status.live.pilots } : {}),
    ...(isOpen && jobError !== undefined ? { jobError } : {}),
  };
}

/** `cancelled`: the tasks of a queue whose cancellation was asked for. */
type LoadedParts = { job?: Job; inventory?: Inventory; error?: string; cancelled?: bigint[] };

/** Loads what rules need. A run can be explained without it, where its files are gone. */
async function loadInventoryAndJob(
  path: string,
  replay: RunReplay,
  findInventory: (recorded: string) => Inventory,
): Promise<LoadedParts> {
  const { header, nodes } = replay;
  const recorded = [...nodes.keys()].at(-1);
  let inventory: Inventory | undefined;
  try {
    inventory = findInventory(recorded ?? "local");
    if (header === undefined && !hasQueue(path)) return { inventory };
    const job = header === undefined ? (await openRunQueue(path)).job : await loadRecordedJob(path, header, inventory);
    const { changes = [] } = readQueue(path, job, new Map(), replay) ?? {};
    return { inventory, job, cancelled: changes.flatMap((one) => (one.type === "cancelled" ? [one.unit] : [])) };
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    return { ...(inventory === undefined ? {} : { inventory }), error: error.message };
  }
}

/** The id of a chunk of a range that gives units away changes; a unit identifies it as well. */
function createRangeFilter(word: string): (chunk: string) => boolean {
  const unit = /^\d{1,400}$/.test(word) ? BigInt(word) : parseRangeId(word)?.[0];
  if (unit === undefined) return () => false;
  return (chunk) => {
    const units = parseRangeId(chunk);
    return units !== undefined && units[0] <= unit && unit < units[1];
  };
}

/** Returns the chunk that is meant: as the job has it, or as its last attempt shows it. */
function findChunk(
  word: string,
  job: Job | undefined,
  isRange: boolean,
  attempts: readonly ChunkAttempt[],
): Pick<Chunk, "id" | "gpu" | "expectedSeconds"> | undefined {
  const last = attempts.at(-1);
  const units = isRange && /^\d{1,400}$/.test(word) ? oneUnit(BigInt(word)) : job?.unitsOf(word);
  const isInJob =
    job !== undefined &&
    units !== undefined &&
    units[0] >= job.first &&
    units[1] <= job.first + (job.queue?.accepted ?? job.units);
  const chunk = isInJob ? job.chunk(...units) : undefined;
  return last === undefined ? chunk : { id: last.chunk, gpu: chunk?.gpu, expectedSeconds: chunk?.expectedSeconds };
}

function oneUnit(unit: bigint): [bigint, bigint] {
  return [unit, unit + 1n];
}

function judgeState(
  { state }: RunStatus,
  attempts: readonly ChunkAttempt[],
  failure: Failure | undefined,
): ChunkExplanation["state"] {
  if (attempts.some((one) => one.state === "done")) return "done";
  if (attempts.some((one) => one.state === "stopped" && one.reason === ON_REQUEST)) return "stopped";
  if (attempts.some((one) => one.state === "running")) return "running";
  if (failure !== undefined) return "failed";
  return state === "running" ? "waiting" : "unfinished";
}
