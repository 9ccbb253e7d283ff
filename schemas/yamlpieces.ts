import { Composer, type CST, type Document, Lexer, Parser, YAMLParseError, type YAMLWarning } from "yaml";

/** The deepest nesting that a file may have. */
export const MAX_YAML_DEPTH = 100;
/** Items per piece of a long list: larger pieces would outlive the young generation of the heap, smaller ones have too much overhead. */
const ITEMS_AT_ONCE = 16;
const OPTIONS = {
  version: "1.2",
  schema: "core",
  intAsBigInt: true,
  resolveKnownTags: false,
  stringKeys: true,
  uniqueKeys: false,
  prettyErrors: false,
  logLevel: "error",
} as const;

/**
 * A part of a document: a mapping with some of its pairs. In an open piece the last value is an unfinished list; the next piece begins
 * with the same pair and holds further items of that list. A text without a long list is one piece.
 */
export interface YamlPiece {
  document: Document.Parsed;
  isOpen: boolean;
  /** The errors and warnings of the package, without those that an earlier piece has reported. */
  problems: YamlProblem[];
}

export type YamlProblem = YAMLParseError | YAMLWarning;

/** The nesting exceeds MAX_YAML_DEPTH at this offset. */
export interface TooDeep {
  tooDeep: number;
}

/** Composes the first document of a text as one piece. A second document is a problem. */
export function compose(text: string): YamlPiece | TooDeep {
  for (const piece of composePieces(text, Number.POSITIVE_INFINITY)) return piece;
  throw new Error("the yaml package composed no document");
}

/**
 * Composes the first document of a text piece by piece; a second document is a problem of the last piece. The package's syntax tree takes
 * a hundred times the size of the text, so complete items of a long list are removed from it early. The package composes recursively, and
 * a stack overflow there kills the whole process, so the nesting is checked while the tokens arrive.
 */
export function* composePieces(text: string, itemsAtOnce = ITEMS_AT_ONCE): Generator<YamlPiece | TooDeep> {
  const parser = new Parser();
  const composer = new Composer(OPTIONS);
  const directives: CST.Token[] = [];
  const documents: Document.Parsed[] = [];
  const cutter = new PieceCutter(itemsAtOnce);
  let isFirst = true;
  const reported = new ReportedProblems();
  const take = (token: CST.Token) => {
    if (token.type === "directive") directives.push(token);
    const whole = isFirst && token.type === "document" ? cutter.rest(token) : token;
    if (token.type === "document") isFirst = false;
    documents.push(...(composer.next(whole) as Iterable<Document.Parsed>));
  };
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) take(token);
    // A level of nesting takes one or two entries of the stack.
    if (parser.stack.length > 2 * MAX_YAML_DEPTH + 10) {
      yield { tooDeep: parser.offset };
      return;
    }
    const part = isFirst ? cutter.cut(parser.stack) : undefined;
    if (part === undefined) continue;
    const [document] = new Composer(OPTIONS).compose([...directives, part.token]) as Iterable<Document.Parsed>;
    yield { document: document!, isOpen: true, problems: reported.selectNew(document!, part.end) };
  }
  for (const token of parser.end()) take(token);
  documents.push(...(composer.end(true, text.length) as Iterable<Document.Parsed>));
  const [first, second] = documents as [Document.Parsed, Document.Parsed | undefined];
  if (second !== undefined) {
    const message = "a second document begins here, but a file may hold only one";
    first.errors.push(new YAMLParseError([second.range[0], second.range[1]], "MULTIPLE_DOCS", message));
  }
  yield { document: first, isOpen: false, problems: reported.selectNew(first, text.length) };
}

/** Filters out problems that an earlier piece has reported: the pairs before a long list are composed again with every piece. */
class ReportedProblems {
  readonly #messages = new Set<string>();
  #from = 0;

  /** `end`: where the piece ends. */
  selectNew({ errors, warnings }: Document.Parsed, end: number): YamlProblem[] {
    const problems = [...errors, ...warnings].filter(
      ({ pos, message }) => pos[0] > this.#from || !this.#messages.has(message),
    );
    for (const { message } of problems) this.#messages.add(message);
    this.#from = end;
    return problems;
  }
}

type Mapping = CST.BlockMap | CST.FlowCollection;
type List = CST.BlockSequence | CST.FlowCollection;

/** Removes complete parts from the syntax tree of a document while it is being parsed. */
class PieceCutter {
  readonly #count: number;
  /** The new start offset of each collection whose first items have been removed. */
  readonly #starts = new Map<CST.Token | undefined, number>();

  /** `count`: how many complete items a list must have before they are removed. */
  constructor(count: number) {
    this.#count = count;
  }

  /**
   * Removes the complete pairs and items from a parser's stack if its top mapping holds a long list that is still being parsed. Returns
   * the token of a document that consists of them, and their end offset. The last two items stay, because the parser looks back at them.
   */
  cut(stack: CST.Token[]): { token: CST.Token; end: number } | undefined {
    const [document, root, list] = stack;
    if (list === undefined || !isList(list) || list.items.length < this.#count + 2) return undefined;
    if (document?.type !== "document" || !isMapping(root!)) return undefined;
    const open = root.items.at(-1);
    if (open?.sep === undefined || open.value !== undefined) return undefined;
    if (!canBeginPiece(list, list.items.length - 2)) return undefined;
    if (root.items.length > 1 && !canBeginPiece(root, root.items.length - 1)) return undefined;
    const head = { ...root, items: [...root.items.slice(0, -1), { ...open }] } as Mapping;
    const items = { ...list, items: list.items.slice(0, -2) } as List;
    const token = closeDocument({ ...document }, this.#project(root, head), this.#project(list, items));
    if (root.items.length > 1) this.#shorten(root, 1);
    this.#shorten(list, 2);
    return { token, end: this.#starts.get(list)! };
  }

  /** Returns the finished document without the parts that were removed. */
  rest(document: CST.Document): CST.Document {
    const { value } = document;
    if (this.#starts.size === 0 || value === undefined || !isMapping(value)) return document;
    return { ...document, value: this.#project(value, { ...value }) };
  }

  /** Adjusts the copy of a collection, and the lists in it, to start where the removed parts end. */
  #project<T extends Mapping | List>(token: CST.Token, copy: T): T {
    copy.offset = this.#starts.get(token) ?? copy.offset;
    copy.items = copy.items.map((item) => {
      const { value } = item;
      return this.#starts.has(value) ? { ...item, value: { ...value, offset: this.#starts.get(value) } } : item;
    }) as T["items"];
    return copy;
  }

  /** Removes all but the last `count` items of a collection, and the comma before the first remaining one. */
  #shorten(collection: Mapping | List, count: number): void {
    collection.items.splice(0, collection.items.length - count);
    const [first] = collection.items as CST.CollectionItem[];
    const token = first!.start[0] ?? first!.key ?? first!.sep?.[0];
    if (collection.type === "flow-collection") first!.start = first!.start.slice(1);
    if (token !== undefined) this.#starts.set(collection, token.offset);
  }
}

/** Whether the item at `index` can begin a piece without a change of meaning. */
function canBeginPiece(collection: Mapping | List, index: number): boolean {
  const { start, key, value } = collection.items[index] as CST.CollectionItem;
  switch (collection.type) {
    case "block-map":
      return true;
    case "block-seq":
      return start.some(({ type }) => type === "seq-item-ind");
    case "flow-collection": {
      const before: CST.CollectionItem = collection.items[index - 1]!;
      if (before.key === undefined && before.sep === undefined && before.value === undefined) return false;
      // The position of an empty key derives from the comma.
      const hasBeginning = key !== null && (key !== undefined || value !== undefined);
      return hasBeginning && start.findLastIndex(({ type }) => type === "comma") === 0;
    }
  }
}

/** Builds a document from these tokens, each nested in the previous one, and closes them as the package's parser does. */
function closeDocument(document: CST.Document, root: Mapping, list: List): CST.Token {
  const parser = new Parser();
  for (const part of [root, list]) {
    if (part.type !== "flow-collection") continue;
    const [type, source] =
      part.start.source === "{" ? (["flow-map-end", "}"] as const) : (["flow-seq-end", "]"] as const);
    part.end = [{ type, source, offset: part.offset, indent: part.indent }];
  }
  parser.stack = [document, root, list];
  const [token] = parser.end();
  return token!;
}

function isMapping(token: CST.Token): token is Mapping {
  return token.type === "block-map" || (token.type === "flow-collection" && token.start.source === "{");
}

function isList(token: CST.Token): token is List {
  return token.type === "block-seq" || (token.type === "flow-collection" && token.start.source === "[");
}
