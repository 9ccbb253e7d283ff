import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { KeptState } from "../../../schemas/protocoltypes.js";
import type { StagedFile } from "../../job/job.js";
import type { FileContent } from "./filehashes.js";

/** The file of a chunk's state that describes it. */
export const STATE_MANIFEST = "saved.json";

/** What the manifest holds. `folder`: where the files lie, as 0, 1, ..., in the order of `files`. */
export interface StateManifest extends KeptState {
  readonly folder: string;
}

/** The state of a chunk, for its next attempt. `files`: to be stored on the node. */
export interface ChunkState {
  readonly kept: KeptState;
  readonly files: readonly StagedFile[];
}

/** Reads the states of chunks in `folder`, RUN/state. */
export class KeptStates {
  /** `contents`: of staged files, to which those of states are added. */
  constructor(
    private readonly folder: string,
    private readonly contents: Map<string, FileContent>,
  ) {}

  /** Returns what the next attempt of a chunk continues from; undefined = nothing, or what was damaged. */
  find(chunk: string): ChunkState | undefined {
    const manifest = readStateManifest(this.folder, chunk);
    if (manifest === undefined) return undefined;
    const { name, files, folder } = manifest;
    const staged = files.map(({ path }, index) => ({ path, source: join(this.folder, chunk, folder, `${index}`) }));
    for (const [index, { source }] of staged.entries()) {
      const { size: sizeBytes, sha256 } = files[index]!;
      if (statSync(source, { throwIfNoEntry: false })?.size !== sizeBytes) return undefined;
      this.contents.set(source, { sha256, sizeBytes, mode: 0o600 });
    }
    return { kept: { name, files }, files: staged };
  }
}

/** Returns what describes the state of a chunk; undefined = it has none. */
export function readStateManifest(folder: string, chunk: string): StateManifest | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, chunk, STATE_MANIFEST), "utf8")) as StateManifest;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
