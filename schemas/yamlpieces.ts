import { Composer, type CST, type Document, Lexer, Parser, YAMLParseError, type YAMLWarning } from "yaml";

/** Levels of nesting that a file may have. */
export const MAX_YAML_DEPTH = 100;
/** Items of a list that are composed at one time: more would outlive the young generation, fewer cost more than they hold. */
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
 * A part of a document: a mapping with some of its pairs. Of an open piece the last value is a list, and the next piece begins
 * with the same pair and further items of that list. A text without a long list is one piece.
 */
export interface YamlPiece {
  document: Document.Parsed;
  isOpen: boolean;
  /** What the package refuses or warns of, without what it has said of an earlier piece. */
  problems: YamlProblem[];
}

export type YamlProblem = YAMLParseError | YAMLWarning;

/** Nesting went too deep, at this offset. */
export interface TooDeep {
  tooDeep: number;
}

/** Composes the first document of a text as a whole, and notes a second one. */
export function compose(text: string): YamlPiece | TooDeep {
  for (const piece of composePieces(text, Number.POSITIVE_INFINITY)) return piece;
  throw new Error("the yaml package composed no document");
}

/**
 * Composes the first document of a text piece by piece, and notes a second one in the last piece. The package's syntax tree of a
 * text takes a hundred times its size, so items of a long list leave it as soon as they are complete. The package composes by
 * recursion, and where the stack ends in the middle of it the whole process dies; so nesting is counted while the tokens come.
 */
export function* composePieces(text: string, itemsAtOnce = ITEMS_AT_ONCE): Generator<YamlPiece | TooDeep> {
  const parser = new Parser();
  const composer = new Composer(OPTIONS);
  const directives: CST.Token[] = [];
  const documents: Document.Parsed[] = [];
  const cutter = new PieceCutter(itemsAtOnce);
  let isFirst = true;
  const told = new ReportedProblems();
  const take = (token: CST.Token) => {
    if (token.type === "directive") directives.push(token);
    const whole = isFirst && token.type === "document" ? cutter.rest(token) : token;
    if (token.type === "document") isFirst = false;
    documents.push(...(composer.next(whole) as Iterable<Document.Parsed>));
  };
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) take(token);
    // A level takes one or two places of the stack.
    if (parser.stack.length > 2 * MAX_YAML_DEPTH + 10) {
      yield { tooDeep: parser.offset };
      return;
    }
    const part = isFirst ? cutter.cut(parser.stack) : undefined;
    if (part === undefined) continue;
    const [document] = new Composer(OPTIONS).compose([...directives, part.token]) as Iterable<Document.Parsed>;
    yield { document: document!, isOpen: true, problems: told.faultsOf(document!, part.end) };
  }
  for (const token of parser.end()) take(token);
  documents.push(...(composer.end(true, text.length) as Iterable<Document.Parsed>));
  const [first, second] = documents as [Document.Parsed, Document.Parsed | undefined];
  if (second !== undefined) {
    const message = "a second document begins here: a file holds one";
    first.errors.push(new YAMLParseError([second.range[0], second.range[1]], "MULTIPLE_DOCS", message));
  }
  yield { document: first, isOpen: false, problems: told.faultsOf(first, text.length) };
}

/** Faults that were told. What stands before a piece is composed with each, and may be placed elsewhere then. */
class ReportedProblems {
  readonly #messages = new Set<string>();
  #from = 0;

  /** `end`: where the piece ends. */
  faultsOf({ errors, warnings }: Document.Parsed, end: number): YamlProblem[] {
    const faults = [...errors, ...warnings].filter(
      ({ pos, message }) => pos[0] > this.#from || !this.#messages.has(message),
    );
    for (const { message } of faults) this.#messages.add(message);
    this.#from = end;
    return faults;
  }
}

type Mapping = CST.BlockMap | CST.FlowCollection;
type List = CST.BlockSequence | CST.FlowCollection;

/** Takes complete parts out of the syntax tree of a document while it is being read. */
class PieceCutter {
  readonly #count: number;
  /** Where collections that have lost their first items go on. */
  readonly #starts = new Map<CST.Token | undefined, number>();

  /** `count`: items that a list must have, before those that are complete are taken out. */
  constructor(count: number) {
    this.#count = count;
  }

  /**
   * Takes the complete pairs and items out of a parser's stack, where a mapping holds a long list that is still being read: the
   * token of a document that has them alone, and where they end. The parser looks back at the last two items.
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

  /** A document at its end, without what was taken out of it. */
  rest(document: CST.Document): CST.Document {
    const { value } = document;
    if (this.#starts.size === 0 || value === undefined || !isMapping(value)) return document;
    return { ...document, value: this.#project(value, { ...value }) };
  }

  /** A copy of a collection that begins where what was taken out of it ends, and so do the lists in it. */
  #project<T extends Mapping | List>(token: CST.Token, copy: T): T {
    copy.offset = this.#starts.get(token) ?? copy.offset;
    copy.items = copy.items.map((item) => {
      const { value } = item;
      return this.#starts.has(value) ? { ...item, value: { ...value, offset: this.#starts.get(value) } } : item;
    }) as T["items"];
    return copy;
  }

  /** Leaves a collection its last items. A comma before the first of them parted it from those that are gone. */
  #shorten(collection: Mapping | List, count: number): void {
    collection.items.splice(0, collection.items.length - count);
    const [first] = collection.items as CST.CollectionItem[];
    const token = first!.start[0] ?? first!.key ?? first!.sep?.[0];
    if (collection.type === "flow-collection") first!.start = first!.start.slice(1);
    if (token !== undefined) this.#starts.set(collection, token.offset);
  }
}

/** Whether the item at `index` can begin a piece, so that it means there what it means after the one before it. */
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
      // An empty key has its place from the comma.
      const hasBeginning = key !== null && (key !== undefined || value !== undefined);
      return hasBeginning && start.findLastIndex(({ type }) => type === "comma") === 0;
    }
  }
}

/** The document of these tokens, each in the one before it, ended as the package's parser ends them. */
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
