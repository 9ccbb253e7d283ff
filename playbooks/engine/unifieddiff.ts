import { isUtf8 } from "node:buffer";
import { createTwoFilesPatch } from "diff";
import { formatCount } from "../../schemas/numbertext.js";

/** Larger files are not compared line by line. */
export const MAX_DIFF_BYTES = 1024 * 1024;
const DIFF_TIMEOUT_MS = 2000;
/** The most lines of a diff that are shown. */
const MAX_DIFF_LINES = 500;

/** What the package puts before a diff. */
const HEAD = /^(Index: .*\n)?=+\n/;

/** Stands for the diff of a file that is too large for one. */
export const TOO_LARGE_FOR_DIFF = "(no diff: larger than 1 MiB)";
const TOO_DIFFERENT_FOR_DIFF = `(no diff: too many lines differ to compare them within ${DIFF_TIMEOUT_MS / 1000} s)`;

/**
 * Returns the unified diff from the current to the wanted content of a file, of at most 500 lines and one that says how many are left out.
 * Returns why there is none in parentheses, and undefined where a content is not UTF-8 text.
 */
export function unifiedDiff(path: string, have: Uint8Array, want: Uint8Array): string | undefined {
  if (have.length > MAX_DIFF_BYTES || want.length > MAX_DIFF_BYTES) return TOO_LARGE_FOR_DIFF;
  if (!isText(have) || !isText(want)) return undefined;
  const texts = [have, want].map((bytes) => Buffer.from(bytes).toString("utf8"));
  const options = { context: 3, timeout: DIFF_TIMEOUT_MS };
  const patch = createTwoFilesPatch(path, path, texts[0]!, texts[1]!, "have", "want", options) as string | undefined;
  return patch === undefined ? TOO_DIFFERENT_FOR_DIFF : cutLines(patch.replace(HEAD, ""));
}

/** Returns the whole unified diff that makes `want` of the text `have` in the file `path`, for `patch -p1` and `git apply`. */
export function createPatch(path: string, have: string, want: string): string {
  const patch = createTwoFilesPatch(`a/${path}`, `b/${path}`, have, want, undefined, undefined, { context: 3 });
  return patch.replace(HEAD, "");
}

function cutLines(patch: string): string {
  const lines = patch.trimEnd().split("\n");
  if (lines.length <= MAX_DIFF_LINES) return patch;
  const more = formatCount(lines.length - MAX_DIFF_LINES);
  return `${lines.slice(0, MAX_DIFF_LINES).join("\n")}\n(${more} more lines of this diff are left out)\n`;
}

function isText(bytes: Uint8Array): boolean {
  return isUtf8(bytes) && !bytes.includes(0);
}
