import { dirname } from "node:path";
import ts from "typescript";

/** A declaration that stands at the top of a module: a statement, with what it declares. */
interface Found {
  name: string;
  statement: ts.Statement;
}

/**
 * Bundles the declarations that the module `entry` (a .d.ts file) exports, and those that they use, into the text of one file. Throws an Error
 * where two of them have one name, or where one refers to a module that is not below the folder above `entry`.
 */
export function bundleDeclarations(entry: string): string {
  const { NodeNext: module } = ts.ModuleKind;
  const program = ts.createProgram([entry], { module, noLib: true, types: [] });
  const collector = new DeclarationCollector(program.getTypeChecker(), dirname(dirname(entry)));
  const exported = collector.collectExports(program.getSourceFile(entry)!);
  const texts = collector.statements.map((statement) =>
    statement
      .getFullText()
      .trim()
      .replace(/^((?:\/\*[\s\S]*?\*\/\s*)*)export /, "$1"),
  );
  // Without this list all declarations would count as exported.
  return `${texts.join("\n")}\nexport { ${exported.join(", ")} };\n`;
}

class DeclarationCollector {
  readonly statements: ts.Statement[] = [];
  private readonly names = new Map<string, ts.Statement>();

  /** `folder`: of the modules whose declarations are bundled; others are global. */
  constructor(
    private readonly checker: ts.TypeChecker,
    private readonly folder: string,
  ) {}

  /** Collects what a module exports. Returns the names; those of types are marked as such. */
  collectExports(file: ts.SourceFile): string[] {
    const moduleSymbol = this.checker.getSymbolAtLocation(file)!;
    return this.checker.getExportsOfModule(moduleSymbol).map((symbol) => {
      this.collect(symbol);
      const isTypeOnly = symbol.declarations?.some(
        (one) => ts.isExportSpecifier(one) && ts.isTypeOnlyExportDeclaration(one),
      );
      const { name } = this.resolve(symbol);
      const exported = name === symbol.name ? name : `${name} as ${symbol.name}`;
      return isTypeOnly === true ? `type ${exported}` : exported;
    });
  }

  private collect(symbol: ts.Symbol): void {
    for (const { name, statement } of (this.resolve(symbol).declarations ?? []).flatMap((one) =>
      this.findStatement(one),
    )) {
      const known = this.names.get(name);
      if (known === statement) continue;
      if (known !== undefined)
        throw new Error(
          `${known.getSourceFile().fileName} and ${statement.getSourceFile().fileName} both declare ${name}`,
        );
      this.names.set(name, statement);
      this.statements.push(statement);
      this.collectFrom(statement);
    }
  }

  private resolve(symbol: ts.Symbol): ts.Symbol {
    return symbol.flags & ts.SymbolFlags.Alias ? this.checker.getAliasedSymbol(symbol) : symbol;
  }

  private collectFrom(node: ts.Node): void {
    if (ts.isImportTypeNode(node))
      throw new Error(`${node.getSourceFile().fileName}: ${node.getText()}: declare this type explicitly`);
    const symbol = ts.isIdentifier(node) ? this.checker.getSymbolAtLocation(node) : undefined;
    if (symbol !== undefined) this.collect(symbol);
    ts.forEachChild(node, (child) => this.collectFrom(child));
  }

  /** Returns the statement that makes a declaration, if that stands at the top of a bundled module. */
  private findStatement(declaration: ts.Declaration): Found[] {
    const statement = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
    const name = ts.getNameOfDeclaration(declaration);
    const isBundled = statement.getSourceFile().fileName.startsWith(`${this.folder}/`);
    if (!isBundled || !ts.isSourceFile(statement.parent) || name === undefined) return [];
    return [{ name: name.getText(), statement: statement as ts.Statement }];
  }
}
