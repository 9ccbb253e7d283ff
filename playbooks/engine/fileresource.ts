import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ChangeContext, Difference, FileState, Resource } from "./resource.js";
import { MAX_DIFF_BYTES, TOO_LARGE_FOR_DIFF, unifiedDiff } from "./unifieddiff.js";

/** The wanted state of a file on a node. Without `mode` or `owner` (`user` or `user:group`), any value is accepted. */
export interface WantedFile {
  path: string;
  content: string | Uint8Array;
  mode?: number;
  owner?: string;
  /** Writing it needs root. */
  become?: boolean;
  /** Show its content as a hash only. */
  secret?: boolean;
  /** The name of the resource; default `file PATH`. */
  name?: string;
  after?: string[];
  notify?: string | readonly string[];
  followUp?(context: ChangeContext): Promise<void>;
}

/** Returns a resource for a file with exactly this content. It replaces a symbolic link (not its target); a folder is only reported. */
export function fileResource(want: WantedFile): Resource<FileState> {
  const bytes = typeof want.content === "string" ? Buffer.from(want.content) : want.content;
  const { path, mode, owner, become, secret } = want;
  return {
    name: want.name ?? `file ${path}`,
    probe: { ask: "file", path, cap: secret ? 0 : MAX_DIFF_BYTES, known: hashOf(bytes), become },
    diff: (have) => diffFile(have, { path, bytes, mode, owner, secret }),
    change: async (_, context) => context.place({ path, content: bytes, mode, owner, become }),
    after: want.after,
    notify: want.notify,
    followUp: want.followUp,
  };
}

/** Returns a resource for a file with the content of the local file `source`. Throws a system error if that cannot be read. */
export function copiedFile(want: Omit<WantedFile, "content"> & { source: string }): Resource<FileState> {
  return fileResource({ ...want, content: readFileSync(want.source) });
}

interface WantedContent {
  path: string;
  bytes: Uint8Array;
  mode?: number;
  owner?: string;
  secret?: boolean;
}

/** Pure: lists the differences between a file and its wanted state. */
export function diffFile(have: FileState, want: WantedContent): Difference[] {
  if (have.error !== undefined) return [{ what: "file", have: `cannot be read: ${have.error}`, want: "a file" }];
  const sha256 = hashOf(want.bytes);
  if (have.kind !== "file") {
    const shown = have.kind === "missing" ? { diff: diffContent({ ...have, content: "" }, want) } : {};
    return [{ what: "file", have: describeKind(have), want: formatSizeAndHash(want.bytes.length, sha256), ...shown }];
  }
  const found: Difference[] = [];
  if (have.sha256 !== sha256)
    found.push({
      what: "content",
      have: formatSizeAndHash(have.size ?? 0, have.sha256 ?? "?"),
      want: formatSizeAndHash(want.bytes.length, sha256),
      diff: diffContent(have, want),
    });
  return [...found, ...diffRights(have, want)];
}

/** Pure: lists the differences in mode and owner. */
export function diffRights(have: FileState, want: { mode?: number; owner?: string }): Difference[] {
  const found: Difference[] = [];
  if (want.mode !== undefined && have.mode !== want.mode)
    found.push({ what: "mode", have: formatMode(have.mode), want: formatMode(want.mode) });
  const owner = want.owner?.includes(":") ? `${have.owner}:${have.group}` : have.owner;
  if (want.owner !== undefined && owner !== want.owner)
    found.push({ what: "owner", have: String(owner), want: want.owner });
  return found;
}

/** Whether a file is not for everyone to read, so that no diff may show the lines around a change. */
export function isPrivate({ mode }: FileState): boolean {
  return mode !== undefined && (mode & 0o004) === 0;
}

/** Why a file cannot be edited, as text for a difference; undefined = it can. Only one whose whole content is known, or none, can be. */
export function findEditProblem(have: FileState): string | undefined {
  if (have.error !== undefined) return `cannot be read: ${have.error}`;
  if (have.kind === "missing") return undefined;
  if (have.kind !== "file") return describeKind(have);
  return have.content === undefined ? "larger than 1 MiB" : undefined;
}

/** Describes what a path is: "missing", "a folder", "a link to /elsewhere". */
export function describeKind(have: FileState): string {
  switch (have.kind) {
    case "missing":
      return "missing";
    case "link":
      return `a link to ${have.target ?? "?"}`;
    case "other":
      return "a device, pipe or socket";
    default:
      return `a ${have.kind}`;
  }
}

/** Formats a size and a hash: "1000 bytes, sha256 0123456789ab". */
export function formatSizeAndHash(size: number, sha256: string): string {
  return `${size} ${size === 1 ? "byte" : "bytes"}, sha256 ${sha256.slice(0, 12)}`;
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function formatMode(mode: number | undefined): string {
  return mode === undefined ? "?" : `0${mode.toString(8)}`;
}

function diffContent(have: FileState, want: WantedContent): string | undefined {
  if (want.secret) return undefined;
  if (have.content === undefined) return (have.size ?? 0) > MAX_DIFF_BYTES ? TOO_LARGE_FOR_DIFF : undefined;
  return unifiedDiff(want.path, Buffer.from(have.content, "base64"), want.bytes);
}
