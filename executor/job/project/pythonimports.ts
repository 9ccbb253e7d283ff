import { splitStatements } from "./pythonstatements.js";

/** An `import` or `from ... import` of Python source. */
export interface ImportedModule {
  /** Dotted; "" in `from . import x`. */
  readonly module: string;
  /** How many dots stand before it; 0 for an absolute import. */
  readonly level: number;
  /** What `from` imports, `*` included; empty for a plain `import`. */
  readonly names: readonly string[];
}

const IMPORT = /^import\s+(.+)$/u;
const FROM = /^from\s*((?:\.\s*)*)((?:[\p{L}\p{N}_]+(?:\s*\.\s*[\p{L}\p{N}_]+)*)?)\s*\bimport\b\s*(.+)$/u;
const MODULE = /^[\p{L}_][\p{L}\p{N}_]*(\.[\p{L}_][\p{L}\p{N}_]*)*$/u;

/**
 * Returns the modules that Python source imports, in order: also in functions and branches that may never run, but not those whose names
 * are strings. Each module of `import a, b` is one.
 */
export function findImports(source: string): ImportedModule[] {
  return splitStatements(source.replace(/^\ufeff/, "")).flatMap((statement) => {
    const plain = IMPORT.exec(statement);
    if (plain !== null)
      return splitNames(plain[1]!)
        .filter((module) => MODULE.test(module))
        .map((module) => ({ module, level: 0, names: [] }));
    const from = FROM.exec(statement);
    const [, dots, module, names] = from ?? [];
    if (from === null || (dots === "" && module === "")) return [];
    return [
      {
        module: module!.replaceAll(/\s/g, ""),
        level: dots!.replaceAll(/\s/g, "").length,
        names: splitNames(names!.replace(/^\(/, "").replace(/\)$/, "")).filter(
          (name) => name === "*" || MODULE.test(name),
        ),
      },
    ];
  });
}

/** Splits `a . b as c, d` into `a.b` and `d`. */
function splitNames(list: string): string[] {
  return list.split(",").map((one) =>
    one
      .trim()
      .replace(/\s+as\s.*$/u, "")
      .replaceAll(/\s*\.\s*/g, "."),
  );
}
