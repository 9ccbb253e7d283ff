import { createHash } from "node:crypto";
import { basename, extname } from "node:path";

/** What names that are derived from file names must fit. */
export interface NameRules {
  maxLength: number;
  /** Stands for a name of which nothing is left. */
  fallback: string;
  /** Names that have another meaning. */
  forbidden?: RegExp;
}

const HASH_CHARS = 6;

/**
 * Derives a name from that of a file: without its extension, and with unsafe characters replaced. Where anything was replaced or cut, a hash
 * of the file's name follows, so that different files have different names.
 */
export function deriveName(path: string, { maxLength, fallback, forbidden }: NameRules): string {
  const stem = basename(path, extname(path));
  const safe = stem.replace(/[^A-Za-z0-9_.-]/g, "-").replace(/^[.-]+/, "");
  if (safe === stem && safe !== "" && safe.length <= maxLength && forbidden?.test(safe) !== true) return safe;
  const hash = createHash("sha256").update(stem).digest("hex").slice(0, HASH_CHARS);
  const rest = safe
    .replace(/-+/g, "-")
    .slice(0, maxLength - HASH_CHARS - 1)
    .replace(/-$/, "");
  return `${rest === "" || forbidden?.test(rest) ? fallback : rest}-${hash}`;
}
