import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "../../job/job.js";
import { createRecheck, isSelectedForRecheck } from "../../schedule/attempts/recheckselection.js";
import type { Attempt, Failure } from "../../schedule/events.js";
import type { PendingChunk } from "../../schedule/queue/pendingchunk.js";
import { hashFile } from "../node/hashes.js";
import type { Differing } from "../record/past.js";
import type { RunDirectory } from "../record/rundir.js";
import type { Tally } from "../record/tally.js";
import { differenceOf } from "./alike.js";
import type { Landed } from "./commit.js";
import type { Verified } from "./publish.js";
import { discard } from "./pull.js";
import { keyedLines } from "./results.js";

/** JSON larger than this is compared byte for byte only. */
const JSON_LIMIT = 64 << 20;

/** What is kept of a first result that is not in a file of its own. */
interface First {
  sha256: string;
  json: string | undefined;
}

/** Chunks that are computed a second time, and what is found when both results are compared. */
export class Canary {
  /** First results by chunk, where they are lines of results.ndjson. */
  private readonly lines = new Map<string, First>();

  private constructor(
    private readonly job: Job,
    private readonly directory: RunDirectory,
    /** Of earlier sessions: committed, but not compared yet. */
    readonly waiting: PendingChunk[],
  ) {}

  static async open(job: Job, directory: RunDirectory): Promise<Canary> {
    const canary = new Canary(job, directory, []);
    const file = join(directory.path, "results.ndjson");
    if (job.recheck === undefined || directory.session === 1 || !existsSync(file)) return canary;
    for await (const { text } of keyedLines(file, job)) canary.recall(text);
    return canary;
  }

  /** Keeps what a comparison needs of a result that is committed now. */
  landed({ attempt, outputs, json }: Landed): void {
    const { chunk } = attempt;
    if (this.job.collect !== "lines" || !isSelectedForRecheck(this.job, chunk)) return;
    this.lines.set(chunk.id, { sha256: outputs[0]!.sha256, json: this.tolerance === undefined ? undefined : json });
  }

  /** Compares a second result with the first, writes down what was found, and lets the second go. */
  async compare(attempt: Attempt, outputs: Verified[], tally: Tally): Promise<Differing | undefined> {
    const { chunk, node, slot } = attempt;
    try {
      const found = await this.differenceIn(chunk.id, outputs);
      const differing =
        found === undefined
          ? undefined
          : { chunk: chunk.id, first: chunk.firstResult!, second: { node, slot }, what: found };
      this.directory.journal.add({ e: "canary", chunk: chunk.id, differing });
      tally.compared(differing);
      await this.directory.journal.flush();
      this.lines.delete(chunk.id);
      return differing;
    } finally {
      discard(outputs);
    }
  }

  /** A chunk that cannot be computed again. */
  unchecked({ chunk }: Failure, tally: Tally): void {
    this.directory.journal.add({ e: "canary", chunk });
    this.lines.delete(chunk);
    tally.unchecked++;
  }

  private get tolerance(): number | undefined {
    return this.job.recheck?.tolerance;
  }

  private recall(text: string): void {
    const line = JSON.parse(text) as { chunk: string; node: string; slot: number; sha256: string };
    const units = this.job.unitsOf(line.chunk);
    if (units === undefined || this.directory.past.compared.has(line.chunk)) return;
    const chunk = this.job.chunk(...units);
    if (!isSelectedForRecheck(this.job, chunk)) return;
    const at = text.indexOf(',"output":') + ',"output":'.length;
    if (this.job.collect === "lines") this.lines.set(chunk.id, { sha256: line.sha256, json: text.slice(at, -1) });
    this.waiting.push(createRecheck(chunk, line, Number.NEGATIVE_INFINITY));
  }

  private async differenceIn(chunk: string, outputs: Verified[]): Promise<string | undefined> {
    for (const output of outputs) {
      const found = await this.differenceBetween(chunk, output);
      if (found !== undefined) return `${output.path}: ${found}`;
    }
    return undefined;
  }

  private async differenceBetween(chunk: string, output: Verified): Promise<string | undefined> {
    const kept = this.lines.get(chunk);
    const file = join(this.directory.path, "results", this.job.kind === "tasks" ? "" : chunk, output.path);
    if (kept === undefined && !existsSync(file)) return "the first result is not there any more";
    const first = kept === undefined ? await hashFile(file) : { sha256: kept.sha256, size: kept.json?.length ?? 0 };
    if (first.sha256 === output.sha256) return undefined;
    const bytes = `SHA-256 ${first.sha256.slice(0, 12)}... and ${output.sha256.slice(0, 12)}...`;
    if (this.tolerance === undefined || Math.max(first.size, output.size) > JSON_LIMIT) return bytes;
    try {
      const [one, other] = [kept?.json ?? readFileSync(file, "utf8"), textOf(output)].map((text) => JSON.parse(text));
      return differenceOf(one, other, this.tolerance);
    } catch {
      return `${bytes}, and they are not both JSON`;
    }
  }
}

function textOf({ content }: Verified): string {
  return "bytes" in content ? content.bytes.toString("utf8") : readFileSync(content.pulled, "utf8");
}
