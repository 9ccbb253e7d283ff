import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "../../job/job.js";
import { resultPath } from "../../job/resultpath.js";
import { createRecheck, isSelectedForRecheck } from "../../schedule/attempts/recheckselection.js";
import type { Attempt, Failure } from "../../schedule/events.js";
import type { PendingChunk } from "../../schedule/queue/pendingchunk.js";
import type { RunCounters } from "../record/counters.js";
import { hashFile } from "../record/filehashes.js";
import type { RecheckDifference } from "../record/journalentry.js";
import { isStoppedLine, listLineFiles, readKeyedLines } from "../record/resultlines.js";
import { locateResultFile } from "../record/resultsfolder.js";
import type { CollectingDirectory } from "../record/rundir.js";
import type { CollectedResult } from "./collectedresult.js";
import { findJsonDifference } from "./jsondiff.js";
import type { VerifiedOutput } from "./publish.js";
import { listPublications } from "./publishgroup.js";
import { deletePulled } from "./pulloutputs.js";

/** Larger JSON outputs are compared by their SHA-256 only. */
const MAX_JSON_BYTES = 64 << 20;

/** A first result that has no file of its own. */
interface FirstResult {
  sha256: string;
  json: string | undefined;
}

/** Compares the results of chunks that are computed a second time. */
export class Rechecks {
  /** First results that are lines of results.ndjson, by chunk id. */
  private readonly firstResults = new Map<string, FirstResult>();
  /** The files of first results that had to be found, in the folder of results, by chunk id. */
  private readonly firstFiles = new Map<string, readonly string[]>();

  private constructor(
    private readonly job: Job,
    private readonly directory: CollectingDirectory,
    /** Chunks of earlier sessions that are committed, but not rechecked yet. */
    readonly pending: PendingChunk[],
  ) {}

  static async open(job: Job, directory: CollectingDirectory): Promise<Rechecks> {
    const rechecks = new Rechecks(job, directory, []);
    const file = join(directory.path, "results.ndjson");
    if (job.recheck === undefined || directory.session === 1 || !existsSync(file)) return rechecks;
    for await (const { text } of readKeyedLines(file, job)) rechecks.restoreLine(text);
    return rechecks;
  }

  /** Remembers what a comparison needs of a first result. */
  recordFirst(result: CollectedResult): void {
    const { attempt, outputs, json, isStopped } = result;
    const { chunk } = attempt;
    if (isStopped || !isSelectedForRecheck(this.job, chunk)) return;
    if (chunk.spec.found !== undefined) this.firstFiles.set(chunk.id, this.listFiles(attempt, outputs));
    if (this.job.collect !== "lines") return;
    this.firstResults.set(chunk.id, {
      sha256: outputs[0]!.sha256,
      json: this.tolerance === undefined ? undefined : json,
    });
  }

  /** Compares a second result with the first one, journals and returns the difference (undefined: none), and deletes the second result. */
  async compare(
    attempt: Attempt,
    outputs: VerifiedOutput[],
    counters: RunCounters,
  ): Promise<RecheckDifference | undefined> {
    const { chunk, node, slot } = attempt;
    try {
      const found = this.findOtherFile(attempt, outputs) ?? (await this.findDifference(chunk.id, outputs));
      const differing =
        found === undefined
          ? undefined
          : { chunk: chunk.id, first: chunk.firstResult!, second: { node, slot }, what: found };
      this.directory.journal.add({ e: "canary", chunk: chunk.id, differing });
      counters.countRecheck(differing);
      await this.directory.journal.flush();
      this.forget(chunk.id);
      return differing;
    } finally {
      deletePulled(outputs);
    }
  }

  /** Records that a chunk cannot be rechecked. */
  recordSkipped({ chunk }: Failure, counters: RunCounters): void {
    this.directory.journal.add({ e: "canary", chunk });
    this.forget(chunk);
    counters.skippedRechecks++;
  }

  private forget(chunk: string): void {
    this.firstResults.delete(chunk);
    this.firstFiles.delete(chunk);
  }

  private listFiles(attempt: Attempt, outputs: VerifiedOutput[]): string[] {
    return listPublications(this.directory.results, { attempt, outputs }).map(({ target }) => target);
  }

  /** Returns which file only one of two results has. */
  private findOtherFile(attempt: Attempt, outputs: VerifiedOutput[]): string | undefined {
    const first = this.firstFiles.get(attempt.chunk.id);
    if (first === undefined) return undefined;
    const second = this.listFiles(attempt, outputs);
    const lost = first.find((file) => !second.includes(file));
    if (lost !== undefined) return `${lost}: only the first result has it`;
    const added = second.find((file) => !first.includes(file));
    return added === undefined ? undefined : `${added}: only the second result has it`;
  }

  private get tolerance(): number | undefined {
    return this.job.recheck?.tolerance;
  }

  private restoreLine(text: string): void {
    const line = JSON.parse(text) as { chunk: string; node: string; slot: number; sha256: string };
    const units = this.job.unitsOf(line.chunk);
    if (units === undefined || isStoppedLine(text) || this.directory.replay.recheckedChunks.has(line.chunk)) return;
    const chunk = this.job.chunk(...units);
    if (!isSelectedForRecheck(this.job, chunk)) return;
    if (chunk.spec.found !== undefined) this.firstFiles.set(chunk.id, listLineFiles(text));
    const at = text.indexOf(',"output":') + ',"output":'.length;
    if (this.job.collect === "lines")
      this.firstResults.set(chunk.id, { sha256: line.sha256, json: text.slice(at, -1) });
    this.pending.push(createRecheck(chunk, line, Number.NEGATIVE_INFINITY));
  }

  private async findDifference(chunk: string, outputs: VerifiedOutput[]): Promise<string | undefined> {
    for (const output of outputs) {
      const found = await this.findOutputDifference(chunk, output);
      if (found !== undefined) return `${output.path}: ${found}`;
    }
    return undefined;
  }

  private locateFirst(chunk: string, { path, kind }: VerifiedOutput): string {
    const { results } = this.directory;
    const first = this.job.chunk(...this.job.unitsOf(chunk)!);
    if (kind === "found") return join(results.path, resultPath(results.layout, first, path));
    return locateResultFile(results, first, path)!;
  }

  private async findOutputDifference(chunk: string, output: VerifiedOutput): Promise<string | undefined> {
    const kept = this.firstResults.get(chunk);
    const file = this.locateFirst(chunk, output);
    if (kept === undefined && !existsSync(file)) return "the first result is gone";
    const first =
      kept === undefined ? await hashFile(file) : { sha256: kept.sha256, sizeBytes: kept.json?.length ?? 0 };
    if (first.sha256 === output.sha256) return undefined;
    const bytes = `SHA-256 ${first.sha256.slice(0, 12)}... and ${output.sha256.slice(0, 12)}...`;
    if (this.tolerance === undefined || Math.max(first.sizeBytes, output.size) > MAX_JSON_BYTES) return bytes;
    try {
      const [one, other] = [kept?.json ?? readFileSync(file, "utf8"), readOutput(output)].map((text) =>
        JSON.parse(text),
      );
      return findJsonDifference(one, other, this.tolerance);
    } catch {
      return `${bytes}, and they are not both JSON`;
    }
  }
}

function readOutput({ content }: VerifiedOutput): string {
  return "bytes" in content ? content.bytes.toString("utf8") : readFileSync(content.pulled, "utf8");
}
