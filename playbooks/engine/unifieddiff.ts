import { isUtf8 } from "node:buffer";
import { createTwoFilesPatch } from "diff";

/** No diff is made of larger texts, or of texts that take longer to compare. */
const MAX_TEXT_BYTES = 1024 * 1024;
const DIFF_TIMEOUT_MS = 2000;

/** Returns the unified diff from the current to the wanted content of a file; undefined if one is too large or not UTF-8 text. */
export function unifiedDiff(path: string, have: Uint8Array, want: Uint8Array): string | undefined {
  if (!isText(have) || !isText(want)) return undefined;
  const texts = [have, want].map((bytes) => Buffer.from(bytes).toString("utf8"));
  const options = { context: 3, timeout: DIFF_TIMEOUT_MS };
  const patch = createTwoFilesPatch(path, path, texts[0]!, texts[1]!, "have", "want", options) as string | undefined;
  return patch?.replace(/^Index: .*\n=+\n/, "");
}

function isText(bytes: Uint8Array): boolean {
  return bytes.length <= MAX_TEXT_BYTES && isUtf8(bytes) && !bytes.includes(0);
}
