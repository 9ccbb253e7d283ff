import { hash } from "node:crypto";
import { promisify } from "node:util";
import { deflate } from "node:zlib";
import type { Files } from "../../../fleet/connection.js";
import { MusterError } from "../../../schemas/errors.js";
import type { AgentCommand } from "../agent/protocol.js";
import type { ContentCheck } from "./contentcheck.js";

/** A pack is sent when it has this size: that is worth an upload, and hardly delays the chunks that need its first files. */
export const PACK_BYTES = 8 << 20;
/** Up to this size in all, contents are sent over the agent's channel, which is cheaper than the round trips of an upload. */
const MAX_INLINE_BYTES = 192 << 10;
/** How much of a pack decides whether it is compressed, and the ratio that pays for the time of both sides. */
const SAMPLE_BYTES = 64 << 10;
const MAX_COMPRESSED_SHARE = 0.7;
const COMPRESSION = { level: 1 };
/** How often a pack is sent at most, if other bytes arrive. */
const MAX_SENDS = 3;
const PRIVATE_MODE = 0o600;

/** A small file that is to be sent. */
export interface PackedContent {
  readonly sha256: string;
  readonly bytes: Buffer;
}

/** Small files that travel together, or over the agent's channel where they are few bytes. */
export type ContentPack =
  | { readonly kind: "inline"; readonly contents: readonly PackedContent[] }
  | {
      readonly kind: "packed";
      /** The bytes of all files, one after another, compressed where that pays; `sha256`: of these bytes. */
      readonly bytes: Buffer;
      readonly sha256: string;
      readonly files: readonly [sha256: string, sizeBytes: number][];
      readonly deflated: boolean;
    };

/** How packs reach a node. `root`: the run's folder there. */
export interface PackRoute {
  readonly files: () => Promise<Files>;
  readonly root: string;
  readonly send: (message: AgentCommand) => void;
  readonly check: Pick<ContentCheck, "isUnpacked">;
}

const deflateAsync = promisify(deflate);

/** Packs contents as they are sent to any node. */
export async function packContents(contents: readonly PackedContent[]): Promise<ContentPack> {
  const total = contents.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (total <= MAX_INLINE_BYTES) return { kind: "inline", contents };
  const { bytes, deflated } = await compressWhereItPays(Buffer.concat(contents.map(({ bytes }) => bytes)));
  const files = contents.map(({ sha256, bytes }): [string, number] => [sha256, bytes.length]);
  return { kind: "packed", bytes, sha256: hash("sha256", bytes, "hex"), files, deflated };
}

/**
 * Sends contents to a node as one stream: over the agent's channel, or as one uploaded file that the agent takes apart. Resolves when they
 * are stored. Rejects with CORRUPT where other bytes arrive each time, NO_SPACE, LOST or TIMEOUT.
 */
export async function sendPack(pack: ContentPack, route: PackRoute): Promise<void> {
  if (pack.kind === "inline") {
    for (const { sha256, bytes } of pack.contents) route.send({ op: "put", sha256, data: bytes.toString("base64") });
    return;
  }
  const { bytes, sha256, files, deflated } = pack;
  const server = await route.files();
  for (let sent = 0; sent < MAX_SENDS; sent++) {
    await server.upload(bytes, `${route.root}/store/${sha256}.sent`, PRIVATE_MODE);
    if (await route.check.isUnpacked(sha256, files, deflated)) return;
  }
  throw new MusterError("CORRUPT", `${files.length} files were sent ${MAX_SENDS} times, and other bytes arrived`, {
    next: "Check the memory and the disk of the node, and the network.",
  });
}

async function compressWhereItPays(bytes: Buffer): Promise<{ bytes: Buffer; deflated: boolean }> {
  const middle = Math.max(0, (bytes.length - SAMPLE_BYTES) >> 1);
  const sample = bytes.subarray(middle, middle + SAMPLE_BYTES);
  const deflated = (await deflateAsync(sample, COMPRESSION)).length <= MAX_COMPRESSED_SHARE * sample.length;
  return { bytes: deflated ? await deflateAsync(bytes, COMPRESSION) : bytes, deflated };
}
