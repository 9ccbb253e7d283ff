import { spawnSync } from "node:child_process";
import { decodeBytes, encodeBytes } from "../../schemas/bytetext.js";
import { MusterError } from "../../schemas/errors.js";

/** A larger crontab is an error: nothing is edited that was not read to its end. */
const MAX_CRONTAB_BYTES = 16 * 1024 * 1024;

/**
 * Returns the crontab of this user as `decodeBytes` does, so that `writeCrontab` keeps bytes that are not UTF-8; "" where there is none.
 * Throws CRONTAB (69) where it cannot be read.
 */
export function readCrontab(): string {
  const { status, stdout, stderr, error } = spawnSync("crontab", ["-l"], { maxBuffer: MAX_CRONTAB_BYTES });
  if (status === 0) return decodeBytes(stdout);
  if (status === 1 && /^no crontab for/m.test(stderr.toString())) return "";
  throw crontabError("read", error?.message ?? stderr.toString());
}

/** Replaces the crontab of this user, after `crontab` has checked it. Throws CRONTAB (69) where that fails. */
export function writeCrontab(text: string): void {
  const { status, stderr, error } = spawnSync("crontab", ["-"], { input: encodeBytes(text) });
  if (status !== 0) throw crontabError("write", error?.message ?? stderr.toString());
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
