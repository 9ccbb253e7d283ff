import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { CompilerOptions, Diagnostic, SourceFile, TransformationContext } from "typescript";
import { InvalidFileError, MusterError, type Problem } from "../../schemas/errors.js";
import { programFolder } from "../../templates/programfolder.js";

type Typescript = typeof import("typescript");

/** The packages that a playbook may import by name, wherever its file is. */
const IMPORTABLE_PACKAGES: Record<string, string> = {
  muster: ownModule("api.js"),
  zx: ownModule("zx.js"),
};

function ownModule(name: string): string {
  return pathToFileURL(join(programFolder(), "playbooks", "engine", name)).href;
}

/**
 * Imports a TypeScript or JavaScript module, and the modules that it imports by relative paths, without a build step: they are transpiled
 * into a temporary folder, which is removed afterwards. Types are not checked. Rejects with InvalidFileError for a syntax error, or with a
 * MusterError (PLAYBOOK, exit 65) if the module cannot be found or throws.
 */
export async function importModule(file: string): Promise<unknown> {
  const { default: ts } = await import("typescript");
  const folder = mkdtempSync(join(tmpdir(), "muster-playbook-"));
  try {
    const entry = new Transpiler(ts, folder).add(file);
    return await import(pathToFileURL(entry).href);
  } catch (error) {
    if (error instanceof MusterError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new MusterError("PLAYBOOK", `${file}: cannot be loaded: ${message.replaceAll(`${folder}/`, "")}`, {
      next: "Fix it there; `muster verify` with its name loads it and changes nothing.",
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

class Transpiler {
  private readonly done = new Map<string, string>();

  constructor(
    private readonly ts: Typescript,
    private readonly folder: string,
  ) {}

  /** Transpiles a module and its imports. Returns the path of the result. */
  add(file: string): string {
    const known = this.done.get(file);
    if (known !== undefined) return known;
    const target = join(this.folder, `${this.done.size}.mjs`);
    this.done.set(file, target);
    const { ts } = this;
    const options: CompilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, sourceMap: false };
    const { outputText, diagnostics } = ts.transpileModule(readFileSync(file, "utf8"), {
      fileName: file,
      reportDiagnostics: true,
      compilerOptions: { ...options, inlineSourceMap: true },
      transformers: { after: [(context) => (source) => this.redirectImports(source, file, context)] },
    });
    if (diagnostics !== undefined && diagnostics.length > 0)
      throw new InvalidFileError(diagnostics.map((one) => this.toProblem(one, file)));
    writeFileSync(target, outputText);
    return target;
  }

  /** Points every import at what it means from where the module lay. */
  private redirectImports(source: SourceFile, file: string, context: TransformationContext): SourceFile {
    const { ts } = this;
    const statements = source.statements.map((statement) => {
      if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return statement;
      const specifier = statement.moduleSpecifier;
      if (specifier === undefined || !ts.isStringLiteral(specifier)) return statement;
      const target = context.factory.createStringLiteral(this.resolveImport(specifier.text, file));
      if (ts.isImportDeclaration(statement)) {
        const { modifiers, importClause, attributes } = statement;
        return context.factory.updateImportDeclaration(statement, modifiers, importClause, target, attributes);
      }
      const { modifiers, isTypeOnly, exportClause, attributes } = statement;
      return context.factory.updateExportDeclaration(
        statement,
        modifiers,
        isTypeOnly,
        exportClause,
        target,
        attributes,
      );
    });
    return context.factory.updateSourceFile(source, statements);
  }

  private resolveImport(specifier: string, file: string): string {
    if (!specifier.startsWith(".")) return IMPORTABLE_PACKAGES[specifier] ?? specifier;
    const path = resolve(dirname(file), specifier);
    const candidates = [path, path.replace(/\.js$/, ".ts"), path.replace(/\.mjs$/, ".mts"), `${path}.ts`, `${path}.js`];
    const found = candidates.find((one) => existsSync(one));
    if (found === undefined)
      throw new MusterError("PLAYBOOK", `${file}: there is no module ${specifier}`, {
        next: `Relative paths start from ${dirname(file)}; the packages are ${Object.keys(IMPORTABLE_PACKAGES).join(", ")} and those of Node.js.`,
      });
    return pathToFileURL(this.add(found)).href;
  }

  private toProblem(diagnostic: Diagnostic, file: string): Problem {
    const message = this.ts.flattenDiagnosticMessageText(diagnostic.messageText, " ");
    if (diagnostic.file === undefined || diagnostic.start === undefined) return { file, message };
    const { line, character } = diagnostic.file.getLineAndCharacterOfPosition(diagnostic.start);
    return { file, line: line + 1, column: character + 1, message };
  }
}
