import { spawnSync } from "node:child_process";
import { MusterError } from "../../schemas/errors.js";

/** This user's crontab; "" where there is none. Throws a MusterError where it cannot be read. */
export function readCrontab(): string {
  const { status, stdout, stderr, error } = spawnSync("crontab", ["-l"], { encoding: "utf8" });
  if (status === 0) return stdout;
  if (status === 1 && /^no crontab for/m.test(stderr)) return "";
  throw crontabError("read", error?.message ?? stderr);
}

/** Replaces this user's crontab; cron itself checks it first. */
export function writeCrontab(text: string): void {
  const { status, stderr, error } = spawnSync("crontab", ["-"], { encoding: "utf8", input: text });
  if (status !== 0) throw crontabError("written", error?.message ?? stderr);
}

function crontabError(what: string, reason: string): MusterError {
  const isMissing = /ENOENT/.test(reason);
  return new MusterError(
    "CRONTAB",
    69,
    `the crontab cannot be ${what}: ${isMissing ? "there is no program crontab" : reason.trim()}`,
    {
      next: isMissing
        ? "Install cron (Debian: apt-get install cron)."
        : "See `crontab -l`; crontab(1) says who may have one.",
    },
  );
}
