import { type NotificationTarget, readNotificationTarget } from "../../fleet/notificationtarget.js";
import { readSeconds } from "../job/jobsettings.js";
import type { JobReader, KeyPath } from "../job/reader.js";

/** An event that a pipeline can send notifications about. */
export type NotificationEvent = "on_failure" | "on_success" | "on_drift";

/** Reads the notification targets of each event. Problems are reported to `reader`. */
export function readNotifications(reader: JobReader): Record<NotificationEvent, NotificationTarget[]> {
  const read = (occasion: NotificationEvent) =>
    reader.items([occasion]).flatMap((path) => readTarget(reader, path) ?? []);
  return { on_failure: read("on_failure"), on_success: read("on_success"), on_drift: read("on_drift") };
}

function readTarget(reader: JobReader, path: KeyPath): NotificationTarget | undefined {
  const text = (key: string) => reader.text([...path, key]);
  const written = {
    command: reader.list([...path, "command"])?.map((word) => word.text),
    webhook: text("webhook"),
    webhook_env: text("webhook_env"),
    webhook_file: text("webhook_file"),
    token_env: text("token_env"),
    token_file: text("token_file"),
    timeoutSeconds: readSeconds(reader, [...path, "timeout"]),
  };
  return readNotificationTarget(written, reader.folder, (problem) =>
    reader.reportAt(path, `${path[0]}[${path[1]}] ${problem}`),
  );
}
