import { spawnSync } from "node:child_process";
import { MusterError } from "../../schemas/errors.js";

/** Returns the crontab of this user; "" where there is none. Throws CRONTAB (69) where it cannot be read. */
export function readCrontab(): string {
  const { status, stdout, stderr, error } = spawnSync("crontab", ["-l"], { encoding: "utf8" });
  if (status === 0) return stdout;
  if (status === 1 && /^no crontab for/m.test(stderr)) return "";
  throw crontabError("read", error?.message ?? stderr);
}

/** Replaces the crontab of this user, after `crontab` has checked it. Throws CRONTAB (69) where that fails. */
export function writeCrontab(text: string): void {
  const { status, stderr, error } = spawnSync("crontab", ["-"], { encoding: "utf8", input: text });
  if (status !== 0) throw crontabError("write", error?.message ?? stderr);
}

function crontabError(verb: string, reason: string): MusterError {
  const isMissing = /ENOENT/.test(reason);
  return new MusterError(
    "CRONTAB",
    `cannot ${verb} the crontab: ${isMissing ? "the program crontab is not installed" : reason.trim()}`,
    {
      next: isMissing
        ? "Install cron (Debian: apt-get install cron)."
        : "See `crontab -l`; crontab(1) explains who may have a crontab.",
    },
  );
}
