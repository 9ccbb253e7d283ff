import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";

/** Of the end of a log, and of each line that is asked for beyond the usual ones. */
const [TAIL_BYTES, LINE_BYTES] = [8 << 10, 200];

/** Returns the last `count` lines of a log; none where there is none. */
export function readLogTail(file: string, count: number): string[] {
  if (!existsSync(file)) return [];
  const fd = openSync(file, "r");
  try {
    const { size } = fstatSync(fd);
    const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES + count * LINE_BYTES));
    const text = bytes.toString("utf8", 0, readSync(fd, bytes, 0, bytes.length, size - bytes.length));
    return text
      .trimEnd()
      .split("\n")
      .slice(text === "" || count === 0 ? Infinity : -count);
  } finally {
    closeSync(fd);
  }
}
