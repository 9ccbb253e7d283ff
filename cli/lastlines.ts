/** Returns the last `count` lines of a log; all of it where `count` is undefined. */
export function takeLastLines(bytes: Buffer, count: number | undefined): Buffer {
  if (count === undefined) return bytes;
  let start = bytes.length;
  if (count > 0 && start > 0 && bytes[start - 1] === 10) start--;
  for (let left = count; left > 0 && start > 0; left--) start = bytes.lastIndexOf(10, start - 1);
  return start < 0 ? bytes : bytes.subarray(count === 0 ? bytes.length : start === 0 ? 0 : start + 1);
}
