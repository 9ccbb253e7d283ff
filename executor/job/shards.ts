import { formatShardId, parseShardId } from "./chunkids.js";
import { fillArguments, listStagedFiles, specIdentity } from "./chunkspec.js";
import type { Chunk, ChunkSpec } from "./job.js";
import { readSeconds } from "./jobsettings.js";
import type { JobReader } from "./reader.js";
import type { UnitSpace } from "./unitspace.js";

/** More shards than this are probably the units of a range. */
const MAX_SHARDS = 1_000_000_000n;

/** Reads the number of shards of a program that splits its work itself. Each shard is a chunk, created on demand. */
export function createShardSpace(reader: JobReader, spec: ChunkSpec): UnitSpace | undefined {
  const shards = readShards(reader);
  const expect = readSeconds(reader, ["expect"]);
  if (shards === undefined) return undefined;
  return {
    first: 0n,
    units: shards,
    outputs: [spec],
    identity: { shards: `${shards}`, ...specIdentity(spec) },
    chunk: (start) => ({ ...shardChunk(spec, start, shards), expectedSeconds: expect }),
    unitsOf(id) {
      const index = parseShardId(id);
      return index === undefined || index >= shards ? undefined : [index, index + 1n];
    },
    specs: [spec],
    stagedFiles: () => listStagedFiles([spec]),
  };
}

function shardChunk(spec: ChunkSpec, index: bigint, shards: bigint): Chunk {
  const id = formatShardId(index);
  const values = new Map([
    ["chunk", id],
    ["index", `${index}`],
    ["number", `${index + 1n}`],
    ["shards", `${shards}`],
  ]);
  return { id, start: index, end: index + 1n, spec: fillArguments(spec, values) };
}

/** The schema check has reported values that are not positive whole numbers. */
function readShards(reader: JobReader): bigint | undefined {
  const shards = reader.integer(["shards"]);
  if (shards === undefined || shards < 1n) return undefined;
  if (shards <= MAX_SHARDS) return shards;
  const hint = "each shard starts the program once; for a range of numbers use kind: range";
  reader.reportAt(["shards"], `shards: ${shards} is more than ${MAX_SHARDS}`, hint);
  return undefined;
}
