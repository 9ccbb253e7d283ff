import { dirname, posix } from "node:path";

/** A module in the files of a project: its file, or the folder of a package, whose `__init__.py` may be missing. */
export interface FoundModule {
  readonly file?: string;
  readonly folder?: string;
}

/** Finds Python modules among the files of a project. Paths are relative to the root; "." is the root. */
export class ModuleIndex {
  private readonly folders = new Set<string>();
  /** Compiled modules, by path without `.cpython-311-x86_64-linux-gnu.so`. */
  private readonly compiled = new Map<string, string>();

  constructor(private readonly files: ReadonlySet<string>) {
    for (const path of files) {
      const extension = /^((?:.*\/)?[^/.]+)(?:\.[^/]*)?\.so$/.exec(path);
      if (extension !== null) this.compiled.set(extension[1]!, path);
      if (extension !== null || path.endsWith(".py")) this.addFolders(path);
    }
  }

  /** Returns the module `name` (without dots) that lies in `folder`, in the order in which Python looks for it; undefined if none does. */
  find(folder: string, name: string): FoundModule | undefined {
    const path = posix.join(folder, name);
    if (this.files.has(`${path}/__init__.py`)) return { file: `${path}/__init__.py`, folder: path };
    const file = this.compiled.get(path) ?? (this.files.has(`${path}.py`) ? `${path}.py` : undefined);
    if (file !== undefined) return { file };
    return this.folders.has(path) ? { folder: path } : undefined;
  }

  /** Returns the module that is the folder itself, for `from . import x`. */
  findPackage(folder: string): FoundModule {
    const file = posix.join(folder, "__init__.py");
    return this.files.has(file) ? { file, folder } : { folder };
  }

  /** Remembers the folders that hold Python modules at any depth. */
  private addFolders(path: string): void {
    for (let folder = dirname(path); folder !== "." && !this.folders.has(folder); folder = dirname(folder))
      this.folders.add(folder);
  }
}
