import { createHash } from "node:crypto";

const MAX_ID_BYTES = 200;
/** The characters that need no encoding in a file name. */
const SAFE_NAME = /^[A-Za-z0-9._+-]*$/;

/** Returns why `id` cannot name the files of a chunk; undefined = it can. */
export function findIdFault(id: string): string | undefined {
  if (id === "") return "must not be empty";
  if (Buffer.byteLength(id) > MAX_ID_BYTES) return `must not be longer than ${MAX_ID_BYTES} bytes`;
  if (!/^[A-Za-z0-9_][A-Za-z0-9._=,+@%~-]*$/.test(id)) {
    return "must begin with a letter or digit and contain only letters, digits and . _ - = , + @ % ~";
  }
  return undefined;
}

/** Encodes any text as part of a safe file name; different texts stay different. */
export function encodeNamePart(text: string): string {
  if (SAFE_NAME.test(text)) return text;
  return [...Buffer.from(text, "utf8")].map(encodeByte).join("");
}

/** Encodes any text as a whole safe file name that does not begin with a dot or a sign; different texts stay different. */
export function encodeName(text: string): string {
  return encodeNamePart(text).replace(/^[.+-]/, (first) => `%${first.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Returns `id`, or if it is too long its beginning, its unit, and a hash of all of it. */
export function shortenId(id: string, unit: bigint): string {
  if (Buffer.byteLength(id) <= MAX_ID_BYTES) return id;
  const hash = createHash("sha256").update(id).digest("hex").slice(0, 12);
  return `${id.slice(0, 120)}~${unit}~${hash}`;
}

/** Returns the unit in an id that `shortenId` has shortened; undefined for other ids. */
export function parseShortenedId(id: string): bigint | undefined {
  const unit = /~(\d{1,400})~[0-9a-f]{12}$/.exec(id)?.[1];
  return unit === undefined ? undefined : BigInt(unit);
}

/** Returns the id of the units [start, end) of a range. */
export function formatRangeId(start: bigint, end: bigint): string {
  return `${start}-${end}`;
}

/** Returns the units of an id made by `formatRangeId`; undefined for any other text. */
export function parseRangeId(id: string): [start: bigint, end: bigint] | undefined {
  const match = /^(\d{1,400})-(\d{1,400})$/.exec(id);
  if (match === null) return undefined;
  const [start, end] = [BigInt(match[1]!), BigInt(match[2]!)];
  return start < end && formatRangeId(start, end) === id ? [start, end] : undefined;
}

/** Returns the id of a shard. */
export function formatShardId(index: bigint): string {
  return `shard-${index}`;
}

/** Returns the index in an id made by `formatShardId`; undefined for any other text. */
export function parseShardId(id: string): bigint | undefined {
  const index = /^shard-(0|[1-9]\d{0,18})$/.exec(id)?.[1];
  return index === undefined ? undefined : BigInt(index);
}

function encodeByte(byte: number): string {
  const character = String.fromCharCode(byte);
  return SAFE_NAME.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}
