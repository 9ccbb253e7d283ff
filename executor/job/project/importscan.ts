import { dirname, posix } from "node:path";
import { type FoundModule, ModuleIndex } from "./moduleindex.js";
import { findImports, type ImportedModule } from "./pythonimports.js";
import { isStandardModule } from "./standardlibrary.js";

export { findImports, type ImportedModule };

/** What a program imports, as far as its source shows. Paths are relative to the root of the project. */
export interface ImportScan {
  /** The files that are needed, with the `__init__.py` of packages; sorted. */
  files: string[];
  /** Folders that must be on `sys.path`, besides the script's own folder (or the working directory of a module); "." is the root. */
  importRoots: string[];
  /** Modules that are not in the project, of the standard library too; sorted. Relative ones begin with dots. */
  unresolved: string[];
}

/** Reads a file of the project; undefined if it cannot be read. */
export type ReadFile = (path: string) => string | undefined;

/** Follows imports from a script through `files`, the paths of the project. Modules are looked for in its folder, the root, and src/. */
export function scanImports(entry: { path: string }, files: ReadonlySet<string>, read: ReadFile): ImportScan {
  const scan = new Scan(dirname(entry.path), files, read);
  scan.addFile(entry.path);
  return scan.finish();
}

/** Does the same for `python -m MODULE`, started in the folder `cwd`, where Python looks first. */
export function scanModuleImports(
  entry: { module: string; cwd: string },
  files: ReadonlySet<string>,
  read: ReadFile,
): ImportScan {
  const scan = new Scan(posix.join(entry.cwd), files, read);
  scan.addMain(entry.module);
  return scan.finish();
}

class Scan {
  private readonly index: ModuleIndex;
  private readonly candidates: readonly string[];
  private readonly needed = new Set<string>();
  private readonly pending: string[] = [];
  private readonly usedRoots = new Set<string>();
  private readonly unresolved = new Set<string>();

  constructor(
    private readonly firstRoot: string,
    private readonly files: ReadonlySet<string>,
    private readonly read: ReadFile,
  ) {
    this.index = new ModuleIndex(files);
    this.candidates = [...new Set([firstRoot, ".", "src"])];
  }

  addFile(path: string): void {
    if (!this.files.has(path) || this.needed.has(path)) return;
    this.needed.add(path);
    if (path.endsWith(".so")) return;
    this.pending.push(path);
  }

  addMain(module: string): void {
    const found = this.addAbsolute({ module, level: 0, names: ["__main__"] });
    if (found?.folder !== undefined && this.index.find(found.folder, "__main__") === undefined)
      this.unresolved.add(module);
  }

  finish(): ImportScan {
    for (let path = this.pending.pop(); path !== undefined; path = this.pending.pop())
      for (const one of findImports(this.read(path) ?? "")) {
        if (one.level === 0) this.addAbsolute(one);
        else this.addRelative(path, one);
      }
    return {
      files: [...this.needed].sort(),
      importRoots: this.candidates.filter((root) => root !== this.firstRoot && this.usedRoots.has(root)),
      unresolved: [...this.unresolved].sort(),
    };
  }

  /** Adds the files of an absolute import and the root that it is found in. Returns the module; undefined if it is not found. */
  private addAbsolute(one: ImportedModule): FoundModule | undefined {
    const root = this.findRoot(one);
    if (root === undefined) {
      this.unresolved.add(one.module);
      return undefined;
    }
    this.usedRoots.add(root);
    return this.addModule({ folder: root }, one, one.module);
  }

  /** A regular module wins over a folder without `__init__.py` that comes earlier. The latter must hold what is imported. */
  private findRoot(one: ImportedModule): string | undefined {
    const [top, ...rest] = one.module.split(".");
    const roots = isStandardModule(top!) ? [this.firstRoot] : this.candidates;
    const regular = roots.find((root) => this.index.find(root, top!)?.file !== undefined);
    if (regular !== undefined) return regular;
    return roots.find((root) => {
      const found = this.index.find(root, top!);
      if (found?.folder === undefined) return false;
      const inner = rest.length > 0 ? [rest[0]!] : one.names;
      return inner.some((name) => this.index.find(found.folder!, name) !== undefined);
    });
  }

  private addRelative(path: string, one: ImportedModule): void {
    const written = `${".".repeat(one.level)}${one.module}`;
    const folder = posix.join(dirname(path), ...Array.from({ length: one.level - 1 }, () => ".."));
    if (folder === ".." || folder.startsWith("../")) this.unresolved.add(written);
    else this.addModule(this.index.findPackage(folder), one, written);
  }

  /** Adds the files of a module below `start`, and those of its names that are modules. Returns it; undefined if it is not found. */
  private addModule(start: FoundModule, { module, names }: ImportedModule, written: string): FoundModule | undefined {
    let found = start;
    for (const name of module.split(".").filter(Boolean)) {
      this.addFound(found);
      const inner = found.folder === undefined ? undefined : this.index.find(found.folder, name);
      if (inner === undefined) {
        this.unresolved.add(written);
        return undefined;
      }
      found = inner;
    }
    this.addFound(found);
    for (const name of names) {
      const inner = found.folder === undefined ? undefined : this.index.find(found.folder, name);
      if (inner !== undefined) this.addFound(inner);
      else if (found.file === undefined && found.folder !== undefined && name !== "*")
        this.unresolved.add(joinName(written, name));
    }
    return found;
  }

  private addFound({ file }: FoundModule): void {
    if (file !== undefined) this.addFile(file);
  }
}

/** Joins a module and a name in it: `.` and `x` are `.x`. */
function joinName(module: string, name: string): string {
  return module.endsWith(".") ? `${module}${name}` : `${module}.${name}`;
}
