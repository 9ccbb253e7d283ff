import { ProjectRefusal } from "./refusal.js";

/** What a decoder puts where bytes are not UTF-8. It may also stand in a name that is valid. */
export const REPLACEMENT_CHARACTER = "\ufffd";

/** Returns whether the bytes of a path are UTF-8. */
export function isUtf8(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString("utf8"), "utf8").equals(bytes);
}

/** Returns the bytes of a path as text, with `\xNN` for each byte that is not printable ASCII. */
export function formatFileName(bytes: Buffer): string {
  return bytes
    .toString("latin1")
    .replace(/[^\x20-\x7e]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** Throws the refusal of a path that is not UTF-8. */
export function refuseFileName(bytes: Buffer): never {
  throw new ProjectRefusal(
    `${formatFileName(bytes)}: the name of this file is not valid UTF-8`,
    "rename it, or exclude it: add it to .gitignore, or select files with `code`",
  );
}
