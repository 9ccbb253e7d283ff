import { hostname } from "node:os";
import { loadNotifications } from "../executor/pipeline/loadpipeline.js";
import type { Pipeline } from "../executor/pipeline/pipeline.js";
import type { PipelineSummary } from "../executor/pipeline/pipelinesummary.js";
import { selectNotificationEvents, sendNotifications } from "../executor/pipeline/sendnotifications.js";
import { toPrintableText } from "../report/format.js";
import { MusterError, UsageError } from "../schemas/errors.js";

/** Sends the notifications about a finished run of a pipeline. Resolves with a line for each that could not be delivered. */
export async function notifyFinished(pipeline: Pipeline, summary: PipelineSummary, exit: number): Promise<string[]> {
  const lines = await Promise.all(
    selectNotificationEvents(summary, exit).map((occasion) =>
      sendNotifications(
        pipeline.notifications[occasion],
        { occasion, exit, host: hostname(), ...summary },
        pipeline.folder,
      ),
    ),
  );
  return lines.flat().map((line) => toPrintableText([line]));
}

/** Sends the failure notifications of a run that ended with `error`. */
export async function notifyError(
  pipeline: Pick<Pipeline, "name" | "folder" | "notifications">,
  error: unknown,
): Promise<string[]> {
  const isKnown = error instanceof MusterError;
  const { name, notifications: notices, folder } = pipeline;
  const document = {
    occasion: "on_failure",
    exit: isKnown ? error.exitStatus : 1,
    host: hostname(),
    name,
    state: "refused",
    error: isKnown ? error.message : `this is a bug in muster: ${error}`,
  };
  return (await sendNotifications(notices.on_failure, document, folder)).map((line) => toPrintableText([line]));
}

/** Sends the failure notifications of a rejected file, as far as they can be read from it. Usage errors send none. */
export async function notifyRejectedFile(file: string, error: unknown): Promise<string[]> {
  const pipeline = error instanceof UsageError ? undefined : loadNotifications(file);
  return pipeline === undefined ? [] : notifyError(pipeline, error);
}
