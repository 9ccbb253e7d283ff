import { listGpuGroups } from "../../fleet/gpus/gpugroups.js";
import type { Node } from "../../fleet/node.js";
import { GPU_SHARE } from "./gpushare.js";
import type { Job, ProgramLaunch } from "./job.js";
import type { JobReader, KeyPath } from "./reader.js";

const KEY = ["needs", "gpus"] as const;

/** Returns how many GPUs a chunk needs if that is more than one, at `path`: the job, a task, or an entry of a jobs file. */
export function readSeveralGpus(reader: JobReader, path: KeyPath, inherited: number | undefined): number | undefined {
  const gpus = reader.number([...path, ...KEY]);
  if (gpus === undefined) return inherited;
  return gpus > 1 ? gpus : undefined;
}

/** Reports what `needs.gpus` of the job, and of its tasks or entries, contradicts, and counts that no node has. */
export function checkGpuCounts(reader: JobReader, nodes: readonly Node[] | undefined): void {
  const own = reader.number(KEY);
  checkGpuCount(reader, [], own, nodes);
  const items = [...reader.items(["tasks"]), ...reader.items(["jobs"])];
  for (const path of items) {
    const gpus = reader.number([...path, ...KEY]);
    if (gpus !== undefined) checkGpuCount(reader, path, gpus, nodes);
    if ((gpus ?? own ?? 0) > 1) checkPin(reader, path, gpus ?? own!);
    if (gpus !== undefined && own !== undefined && (gpus === 0) !== (own === 0))
      reader.reportAt(
        [...path, ...KEY],
        `${nameOf(path)}needs.gpus is ${gpus}, and the job's is ${own}: its chunks run either on GPUs or on CPU slots`,
        "put them into two jobs, e.g. steps of a pipeline",
      );
    else if (gpus === 0 && own === undefined)
      reader.reportAt(
        [...path, ...KEY],
        `${nameOf(path)}needs.gpus: a task needs 1 GPU or more`,
        "use needs.gpus of the job",
      );
  }
}

function checkGpuCount(
  reader: JobReader,
  path: KeyPath,
  gpus: number | undefined,
  nodes: readonly Node[] | undefined,
): void {
  if (gpus === undefined) return;
  const what = `${nameOf(path)}needs.gpus is ${gpus}`;
  const vendor = reader.text(["needs", "vendor"]);
  const report = (message: string, hint: string) => reader.reportAt([...path, ...KEY], message, hint);
  if (gpus > 0 && vendor === "none") report(`${what}, and needs.vendor is none`, "remove one of them");
  if (gpus === 0 && reader.has(["needs", "vram"]))
    report(`${what}, and needs.vram asks for GPU memory`, "remove one of them");
  if (gpus !== 1 && reader.has(GPU_SHARE))
    report(`${what}, and needs.gpu_share is ${reader.source.text(GPU_SHARE)}`, "remove one of them");
  if (gpus > 1 && reader.text(["worker"]) === "warm")
    report(`${what}, and a warm worker has one GPU`, "remove worker, or use needs.gpus: 1");
  const most = gpus > 1 && nodes !== undefined ? countMostGpus(nodes, vendor) : undefined;
  if (most !== undefined && gpus > most.count)
    report(
      `${what}, and no node has more than ${most.count}${most.node === undefined ? "" : ` (${most.node})`}`,
      "use fewer",
    );
}

function checkPin(reader: JobReader, path: KeyPath, gpus: number): void {
  for (const key of ["gpu", "gpu_id"]) {
    if (reader.number([...path, key]) === undefined) continue;
    const message = `${nameOf(path)}${key} pins it to one GPU, and needs.gpus is ${gpus}`;
    reader.reportAt([...path, key], message, "remove one of them");
  }
}

/**
 * Returns the most GPUs of one kind and this vendor that a node has, and which one has them; undefined = some node does not say how many it
 * has.
 */
function countMostGpus(
  nodes: readonly Node[],
  vendor: string | undefined,
): { count: number; node?: string } | undefined {
  let most: { count: number; node?: string } = { count: 0 };
  for (const node of nodes) {
    const groups = listGpuGroups(node).filter(({ profile }) => vendor === undefined || profile.vendor === vendor);
    if (groups.some(({ count }) => count === undefined)) return undefined;
    for (const { profile } of groups) {
      const alike = groups.filter((one) => one.profile.name === profile.name);
      const count = alike.reduce((sum, one) => sum + (one.count ?? 0), 0);
      if (count > most.count) most = { count, node: node.name };
    }
  }
  return most;
}

function nameOf(path: KeyPath): string {
  return path.length === 0 ? "" : `${path[0]}[${path[1]}].`;
}

/** Returns the fewest and the most GPUs that chunks need; undefined = none needs several. */
export function countGpus(specs: Iterable<ProgramLaunch>): Job["gpuCounts"] {
  let [fewest, most] = [Number.POSITIVE_INFINITY, 1];
  for (const { gpus = 1 } of specs) {
    fewest = Math.min(fewest, gpus);
    most = Math.max(most, gpus);
  }
  return most === 1 ? undefined : { fewest, most };
}

/**
 * Returns what a slot needs for any chunk of a job: with several GPUs for some chunks, `needs.gpus` is the fewest of them, and no GPU is
 * shared.
 */
export function needsOfAll(needs: Job["needs"], counts: Job["gpuCounts"]): Job["needs"] {
  if (counts === undefined) return needs;
  return { ...needs, gpus: counts.fewest > 1 ? counts.fewest : needs.gpus && 1, gpuShare: 1 };
}
