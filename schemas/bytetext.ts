import { isUtf8 } from "node:buffer";

/**
 * A run of well-formed UTF-8 (RFC 3629), or one byte that is not part of any, in a text with one character per byte. Runs are bounded
 * because the engine keeps a state for each repetition.
 */
const WELL_FORMED_OR_BYTE =
  /((?:[\0-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}){1,1024})|([\x80-\xff])/g;
/** A byte without a meaning in UTF-8 becomes this plus its value: a lone surrogate, which well-formed text cannot hold. */
const ESCAPE_BASE = 0xdc00;

/**
 * Decodes UTF-8 without loss: each byte that is not UTF-8 becomes a lone surrogate, U+DC80 to U+DCFF (Python's `surrogateescape`, PEP
 * 383). `encodeBytes` returns the same bytes, so a file can be edited as text although parts of it are in another encoding.
 */
export function decodeBytes(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer)) return buffer.toString("utf8");
  return buffer
    .toString("latin1")
    .replace(WELL_FORMED_OR_BYTE, (_, text: string | undefined, byte: string) =>
      text === undefined
        ? String.fromCharCode(ESCAPE_BASE + byte.charCodeAt(0))
        : Buffer.from(text, "latin1").toString("utf8"),
    );
}

/** Encodes a text of `decodeBytes` as the bytes that it stands for. */
export function encodeBytes(text: string): Buffer {
  const parts = text.split(/(\p{Cs}+)/u);
  return Buffer.concat(
    parts.map((part, index) => {
      if (index % 2 === 0) return Buffer.from(part, "utf8");
      return Buffer.from(Array.from(part, (sign) => sign.charCodeAt(0) - ESCAPE_BASE));
    }),
  );
}

/** Whether a text is valid Unicode. A value that is not would be written as bytes that are not UTF-8. */
export function isWellFormed(text: string): boolean {
  return !/\p{Cs}/u.test(text);
}
