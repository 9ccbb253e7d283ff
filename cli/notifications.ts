import { hostname } from "node:os";
import { loadNotifications } from "../executor/pipeline/loadpipeline.js";
import type { Pipeline } from "../executor/pipeline/pipeline.js";
import type { PipelineSummary } from "../executor/pipeline/pipelinesummary.js";
import { selectNotificationEvents, sendNotifications } from "../executor/pipeline/sendnotifications.js";
import { toPrintableText } from "../report/format.js";
import { MusterError, UsageError } from "../schemas/errors.js";

/** Tells whoever wants to know what a pipeline's run came to. Resolves with what did not get through, a line each. */
export async function notifyFinished(pipeline: Pipeline, summary: PipelineSummary, exit: number): Promise<string[]> {
  const lines = await Promise.all(
    selectNotificationEvents(summary).map((occasion) =>
      sendNotifications(
        pipeline.notifications[occasion],
        { occasion, exit, host: hostname(), ...summary },
        pipeline.folder,
      ),
    ),
  );
  return lines.flat().map((line) => toPrintableText([line]));
}

/** The same of one that could not be run, or not to its end; another run that holds it is no failure of this one. */
export async function notifyError(
  pipeline: Pick<Pipeline, "name" | "folder" | "notifications">,
  error: unknown,
): Promise<string[]> {
  if (!(error instanceof MusterError) || error.exitStatus === 75) return [];
  const { name, notifications: notices, folder } = pipeline;
  const document = {
    occasion: "on_failure",
    exit: error.exitStatus,
    host: hostname(),
    name,
    state: "refused",
    error: error.message,
  };
  return (await sendNotifications(notices.on_failure, document, folder)).map((line) => toPrintableText([line]));
}

/** The same of a file that is refused, where it can be read at least whom to tell; wrong words on the command line are nobody else's matter. */
export async function notifyRejectedFile(file: string, error: unknown): Promise<string[]> {
  const pipeline = error instanceof UsageError ? undefined : loadNotifications(file);
  return pipeline === undefined ? [] : notifyError(pipeline, error);
}
