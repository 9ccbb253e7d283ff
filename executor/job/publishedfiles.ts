import { relative } from "node:path";
import { isFoundBy } from "./foundoutputs.js";
import type { FoundOutputs } from "./job.js";
import type { DeclaredOutputs, OutputScope } from "./outputs.js";
import { listPublishedPaths, listResultPaths, publishedPath } from "./resultpath.js";

/** The folder for outputs without their final names in a folder of results. */
const PARTIAL_FOLDER = /^\.muster-.*\.partial$/;

/**
 * Recognizes the files that runs of a job publish in its folder of results, by their names: a run must not change what the next one starts
 * with. Files that only a glob names are not recognized, because sources may match it too, unless they are among `ownResults`.
 */
export class PublishedFiles {
  private readonly names = new Set<string>();
  private readonly folders: FoundOutputs[] = [];
  private chunkOutputs: DeclaredOutputs = { outputs: [] };

  /** `root`: the folder of results, absolute. `isChunk`: whether a name is that of the folder of a chunk. */
  constructor(
    private readonly root: string,
    private readonly scope: OutputScope,
    private readonly isChunk: (name: string) => boolean,
    private readonly ownResults: ReadonlySet<string>,
  ) {}

  /** Adds a file that is made of the outputs of all chunks. */
  addCombined(path: string): void {
    this.names.add(publishedPath(this.scope.cwd, path));
  }

  /** Adds the outputs of the chunks that have a folder each. */
  addChunks(outputs: DeclaredOutputs): void {
    this.chunkOutputs = outputs;
  }

  /** Adds the outputs of a task. */
  addTask(id: string, outputs: DeclaredOutputs): void {
    const chunk = { id, spec: { ...outputs, inputs: [] } };
    for (const path of listResultPaths({ kind: "tasks", folders: this.scope }, chunk)) this.names.add(path);
    for (const path of outputs.appended ?? []) this.addCombined(path);
    for (const found of outputs.found ?? [])
      if (found.pattern === undefined) this.folders.push({ ...found, base: publishedPath(this.scope.cwd, found.base) });
  }

  /** Whether a file has the name of one that a run publishes. `path`: absolute. */
  has(path: string): boolean {
    if (this.ownResults.has(path)) return true;
    const inner = relative(this.root, path);
    if (inner === "" || inner.startsWith("../")) return false;
    const [top = ""] = inner.split("/");
    if (this.isChunk(top) && this.isChunkOutput(inner.slice(top.length + 1))) return true;
    if (PARTIAL_FOLDER.test(top) || this.names.has(inner)) return true;
    if (inner.endsWith(".new") && this.names.has(inner.slice(0, -".new".length))) return true;
    return this.folders.some((folder) => isFoundBy(folder, inner));
  }

  /** Whether a path in the folder of a chunk is that of an output: a folder of that name may be somebody else's. */
  private isChunkOutput(path: string): boolean {
    const { cwd } = this.scope;
    if (listPublishedPaths(this.chunkOutputs, cwd).includes(path)) return true;
    const { found = [] } = this.chunkOutputs;
    return found.some((one) => isFoundBy({ ...one, base: publishedPath(cwd, one.base) }, path));
  }
}
