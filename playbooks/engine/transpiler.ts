import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type {
  CompilerOptions,
  Diagnostic,
  Expression,
  ImportDeclaration,
  Node,
  SourceFile,
  TransformationContext,
} from "typescript";
import { InvalidFileError, MusterError, type Problem } from "../../schemas/errors.js";
import { suggest } from "../../schemas/suggest.js";
import { programFolder } from "../../templates/programfolder.js";
import { TranspiledModules } from "./transpiledmodules.js";

type Typescript = typeof import("typescript");

/** The packages that a playbook may import by name, wherever its file is. "muster" is what its types declare: the library. */
const IMPORTABLE_PACKAGES: Record<string, string> = {
  muster: ownModule("lib/index.js"),
  zx: ownModule("playbooks/engine/zx.js"),
};

/** A module that remembers where objects were yielded. Each load has its own. */
const YIELDS = `const places = new WeakMap();
export function yieldAt(value, place) {
  if (typeof value === "object" && value !== null) places.set(value, place);
  return value;
}
export const findPlace = (value) => places.get(value);
`;
const YIELD_AT = "__musterYieldAt";

function ownModule(path: string): string {
  return pathToFileURL(join(programFolder(), path)).href;
}

/** Transpiles a module of an author, and those that it imports by relative paths, into a folder. */
export class Transpiler {
  readonly modules = new TranspiledModules();
  /** The module that exports `findPlace`. */
  readonly yields: string;
  private readonly done = new Map<string, string>();

  static async create(folder: string): Promise<Transpiler> {
    const { default: ts } = await import("typescript");
    return new Transpiler(ts, folder);
  }

  private constructor(
    private readonly ts: Typescript,
    private readonly folder: string,
  ) {
    this.yields = join(folder, "yields.mjs");
    writeFileSync(this.yields, YIELDS);
  }

  /**
   * Transpiles a module and its imports. Returns the path of the result. Throws InvalidFileError for a syntax error, and a MusterError (PLAYBOOK)
   * for an import that does not exist.
   */
  add(file: string): string {
    const known = this.done.get(file);
    if (known !== undefined) return known;
    const target = join(this.folder, `${this.done.size}.mjs`);
    this.done.set(file, target);
    const { ts } = this;
    const options: CompilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, sourceMap: true };
    const { outputText, sourceMapText, diagnostics } = ts.transpileModule(readFileSync(file, "utf8"), {
      fileName: file,
      reportDiagnostics: true,
      compilerOptions: options,
      transformers: {
        before: [(context) => (source) => this.recordPlaces(source, file, context)],
        after: [(context) => (source) => this.redirectImports(source, file, context)],
      },
    });
    if (diagnostics !== undefined && diagnostics.length > 0)
      throw new InvalidFileError(diagnostics.map((one) => this.toProblem(one, file)));
    this.modules.add(target, file, sourceMapText!);
    // Imports are hoisted, so this one may be the last line, where it moves no other.
    const recorder = `import { yieldAt as ${YIELD_AT} } from ${JSON.stringify(pathToFileURL(this.yields).href)};`;
    writeFileSync(target, `${outputText}\n${recorder}\n`);
    return target;
  }

  /** Makes every `yield` remember its place, and `import.meta.url` that of the author's file. */
  private recordPlaces(source: SourceFile, file: string, context: TransformationContext): SourceFile {
    const { ts } = this;
    const { factory } = context;
    const visit = (node: Node): Node => {
      if (isImportMetaUrl(ts, node)) return factory.createStringLiteral(pathToFileURL(file).href);
      const visited = ts.visitEachChild(node, visit, context);
      if (!ts.isYieldExpression(visited) || visited.asteriskToken !== undefined || visited.expression === undefined)
        return visited;
      const place = factory.createStringLiteral(formatPlace(source, file, node));
      const call = factory.createCallExpression(factory.createIdentifier(YIELD_AT), undefined, [
        visited.expression as Expression,
        place,
      ]);
      return factory.updateYieldExpression(visited, undefined, call);
    };
    return ts.visitEachChild(source, visit, context);
  }

  /** Points every import at what it means from where the module lay. */
  private redirectImports(source: SourceFile, file: string, context: TransformationContext): SourceFile {
    const { ts } = this;
    const statements = source.statements.map((statement) => {
      if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return statement;
      const specifier = statement.moduleSpecifier;
      if (specifier === undefined || !ts.isStringLiteral(specifier)) return statement;
      const place = formatPlace(ts.getOriginalNode(source) as SourceFile, file, ts.getOriginalNode(specifier));
      const target = context.factory.createStringLiteral(this.resolveImport(specifier.text, file, place));
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

  private resolveImport(specifier: string, file: string, place: string): string {
    const packages = Object.keys(IMPORTABLE_PACKAGES);
    if (!specifier.startsWith(".")) {
      if (isBuiltin(specifier) || /^(\/|file:)/.test(specifier)) return specifier;
      const known = IMPORTABLE_PACKAGES[specifier];
      if (known !== undefined) return known;
      throw new MusterError("PLAYBOOK", `${place}: a playbook cannot import the package "${specifier}"`, {
        next: `It can import ${packages.join(", ")}, modules of Node.js, and files by relative paths.`,
      });
    }
    const path = resolve(dirname(file), specifier);
    const candidates = [path, path.replace(/\.js$/, ".ts"), path.replace(/\.mjs$/, ".mts"), `${path}.ts`, `${path}.js`];
    const found = candidates.find((one) => existsSync(one));
    if (found === undefined)
      throw new MusterError("PLAYBOOK", `${place}: there is no module ${specifier}`, {
        next: `Relative paths start from ${dirname(file)}; the packages are ${packages.join(", ")} and those of Node.js.`,
      });
    return pathToFileURL(this.add(found)).href;
  }

  private toProblem(diagnostic: Diagnostic, file: string): Problem {
    const message = this.ts.flattenDiagnosticMessageText(diagnostic.messageText, " ");
    if (diagnostic.file === undefined || diagnostic.start === undefined) return { file, message };
    const { line, character } = diagnostic.file.getLineAndCharacterOfPosition(diagnostic.start);
    return { file, line: line + 1, column: character + 1, message };
  }

  /** Returns the problem of an import whose module does not export `name`; undefined if no module of the author has one. */
  async findWrongImport(name: string): Promise<Problem | undefined> {
    const { ts } = this;
    for (const file of this.done.keys()) {
      const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.ES2022);
      for (const statement of source.statements.filter((one): one is ImportDeclaration =>
        ts.isImportDeclaration(one),
      )) {
        const bindings = statement.importClause?.namedBindings;
        if (bindings === undefined || !ts.isNamedImports(bindings)) continue;
        const element = bindings.elements.find((one) => (one.propertyName ?? one.name).text === name);
        if (element === undefined || !ts.isStringLiteral(statement.moduleSpecifier)) continue;
        const from = statement.moduleSpecifier.text;
        const { line, character } = source.getLineAndCharacterOfPosition(element.getStart(source));
        const known = IMPORTABLE_PACKAGES[from];
        const hint = known === undefined ? undefined : suggest(name, Object.keys(await import(known)));
        return { file, line: line + 1, column: character + 1, message: `"${from}" does not export ${name}`, hint };
      }
    }
    return undefined;
  }
}

function formatPlace(source: SourceFile, file: string, node: Node): string {
  const { line, character } = source.getLineAndCharacterOfPosition(node.getStart(source));
  return `${file}:${line + 1}:${character + 1}`;
}

function isImportMetaUrl(ts: Typescript, node: Node): boolean {
  return ts.isPropertyAccessExpression(node) && ts.isMetaProperty(node.expression) && node.name.text === "url";
}
