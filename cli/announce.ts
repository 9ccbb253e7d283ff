import { hostname } from "node:os";
import { loadNotices } from "../executor/pipeline/load.js";
import { notify, occasionsOf } from "../executor/pipeline/notify.js";
import type { Pipeline } from "../executor/pipeline/pipeline.js";
import type { PipelineSummary } from "../executor/pipeline/summary.js";
import { textOf } from "../report/format.js";
import { MusterError, UsageError } from "../schemas/errors.js";

/** Tells whoever wants to know what a pipeline's run came to. Resolves with what did not get through, a line each. */
export async function announce(pipeline: Pipeline, summary: PipelineSummary, exit: number): Promise<string[]> {
  const lines = await Promise.all(
    occasionsOf(summary).map((occasion) =>
      notify(pipeline.notices[occasion], { occasion, exit, host: hostname(), ...summary }, pipeline.folder),
    ),
  );
  return lines.flat().map((line) => textOf([line]));
}

/** The same of one that could not be run, or not to its end; another run that holds it is no failure of this one. */
export async function announceError(
  pipeline: Pick<Pipeline, "name" | "folder" | "notices">,
  error: unknown,
): Promise<string[]> {
  if (!(error instanceof MusterError) || error.exit === 75) return [];
  const { name, notices, folder } = pipeline;
  const document = {
    occasion: "on_failure",
    exit: error.exit,
    host: hostname(),
    name,
    state: "refused",
    error: error.message,
  };
  return (await notify(notices.on_failure, document, folder)).map((line) => textOf([line]));
}

/** The same of a file that is refused, where it can be read at least whom to tell; wrong words on the command line are nobody else's matter. */
export async function announceRefused(file: string, error: unknown): Promise<string[]> {
  const pipeline = error instanceof UsageError ? undefined : loadNotices(file);
  return pipeline === undefined ? [] : announceError(pipeline, error);
}
