import { SourceMap } from "node:module";
import { fileURLToPath } from "node:url";

/** The modules of an author that were transpiled into another folder, and where their lines come from. */
export class TranspiledModules {
  private readonly sources = new Map<string, { file: string; map: SourceMap }>();

  /** `sourceMap`: the JSON of its source map. */
  add(target: string, file: string, sourceMap: string): void {
    this.sources.set(target, { file, map: new SourceMap(JSON.parse(sourceMap)) });
  }

  /** Returns the innermost place on the stack of an error that is in a file of the author, as `file:line:column`; undefined if none is. */
  locate(error: unknown): string | undefined {
    const stack = (error instanceof Error && error.stack) || "";
    for (const [, url, line, column] of stack.matchAll(/(file:\/\/\/[^\s()]+?):(\d+):(\d+)/g)) {
      const source = this.sources.get(fileURLToPath(url!));
      if (source === undefined) continue;
      const entry = source.map.findEntry(Number(line) - 1, Number(column) - 1);
      if ("originalLine" in entry) return `${source.file}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
    }
    return undefined;
  }
}
