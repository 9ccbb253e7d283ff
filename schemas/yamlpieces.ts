import { Composer, type CST, type Document, Lexer, Parser, YAMLParseError } from "yaml";

/** Levels of nesting that a file may have. */
export const DEEPEST = 100;
/** Items of a list that are composed at one time. */
const ITEMS_AT_ONCE = 256;
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
export interface Piece {
  document: Document.Parsed;
  isOpen: boolean;
  /** Where what this piece adds to the pieces before it begins. */
  from: number;
}

/** Nesting went too deep, at this offset. */
export interface TooDeep {
  tooDeep: number;
}

/** Composes the first document of a text as a whole, and notes a second one. */
export function compose(text: string): Document.Parsed | TooDeep {
  for (const piece of composePieces(text, Number.POSITIVE_INFINITY)) return "tooDeep" in piece ? piece : piece.document;
  throw new Error("the yaml package composed no document");
}

/**
 * Composes the first document of a text piece by piece, and notes a second one in the last piece. The package's syntax tree of a
 * text takes a hundred times its size, so items of a long list leave it as soon as they are complete. The package composes by
 * recursion, and where the stack ends in the middle of it the whole process dies; so nesting is counted while the tokens come.
 */
export function* composePieces(text: string, itemsAtOnce = ITEMS_AT_ONCE): Generator<Piece | TooDeep> {
  const parser = new Parser();
  const composer = new Composer(OPTIONS);
  const directives: CST.Token[] = [];
  const documents: Document.Parsed[] = [];
  let isFirst = true;
  let from = 0;
  const take = (token: CST.Token) => {
    if (token.type === "directive") directives.push(token);
    if (token.type === "document") isFirst = false;
    documents.push(...(composer.next(token) as Iterable<Document.Parsed>));
  };
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) take(token);
    // A level takes one or two places of the stack.
    if (parser.stack.length > 2 * DEEPEST + 10) {
      yield { tooDeep: parser.offset };
      return;
    }
    const part = isFirst ? cut(parser.stack, itemsAtOnce) : undefined;
    if (part === undefined) continue;
    const [document] = new Composer(OPTIONS).compose([...directives, part.token]);
    yield { document: document as Document.Parsed, isOpen: true, from };
    from = part.end;
  }
  for (const token of parser.end()) take(token);
  documents.push(...(composer.end(true, text.length) as Iterable<Document.Parsed>));
  const [first, second] = documents as [Document.Parsed, Document.Parsed | undefined];
  if (second !== undefined) {
    const message = "a second document begins here: a file holds one";
    first.errors.push(new YAMLParseError([second.range[0], second.range[1]], "MULTIPLE_DOCS", message));
  }
  yield { document: first, isOpen: false, from };
}

type Mapping = CST.BlockMap | CST.FlowCollection;
type List = CST.BlockSequence | CST.FlowCollection;

/**
 * Takes the complete pairs and items out of a parser's stack, where a mapping holds a list of at least `count` items that is
 * still being read: the token of a document that has them alone, and where they end. The parser looks back at the last two items.
 */
function cut(stack: CST.Token[], count: number): { token: CST.Token; end: number } | undefined {
  const [document, root, list] = stack;
  if (list === undefined || !isList(list) || list.items.length < count + 2) return undefined;
  if (document?.type !== "document" || !isMapping(root!)) return undefined;
  const open = root.items.at(-1);
  if (open?.sep === undefined || open.value !== undefined) return undefined;
  if (!isBorder(list, list.items.length - 2)) return undefined;
  if (root.items.length > 1 && !isBorder(root, root.items.length - 1)) return undefined;
  const parts = [document, { ...root }, { ...list }] as [CST.Document, Mapping, List];
  parts[1].items = root.items.splice(0, root.items.length - 1);
  parts[1].items.push({ ...open });
  parts[2].items = list.items.splice(0, list.items.length - 2) as CST.BlockSequence["items"];
  if (parts[1].items.length > 1) resume(root);
  return { token: close(parts), end: resume(list) };
}

/** Whether the item at `index` can begin a piece, so that it means there what it means after the one before it. */
function isBorder(collection: Mapping | List, index: number): boolean {
  const { start } = collection.items[index]!;
  switch (collection.type) {
    case "block-map":
      return true;
    case "block-seq":
      return start.some(({ type }) => type === "seq-item-ind");
    case "flow-collection": {
      const before: CST.CollectionItem = collection.items[index - 1]!;
      const isEmpty = before.key === undefined && before.sep === undefined && before.value === undefined;
      return start[0]?.type === "comma" && !isEmpty;
    }
  }
}

/** Lets a collection begin with what is now its first item, and answers where that is. A comma there parted it from what is gone. */
function resume(collection: Mapping | List): number {
  const [first] = collection.items as CST.CollectionItem[];
  const token = first!.start[0] ?? first!.key ?? first!.sep?.[0];
  if (collection.type === "flow-collection") first!.start = first!.start.slice(1);
  if (token !== undefined) collection.offset = token.offset;
  return collection.offset;
}

/** The document of these tokens, each in the one before it, ended as the package's parser ends them. */
function close([document, root, list]: [CST.Document, Mapping, List]): CST.Token {
  const parser = new Parser();
  for (const part of [root, list]) {
    if (part.type !== "flow-collection") continue;
    const [type, source] =
      part.start.source === "{" ? (["flow-map-end", "}"] as const) : (["flow-seq-end", "]"] as const);
    part.end = [{ type, source, offset: part.offset, indent: part.indent }];
  }
  parser.stack = [{ ...document }, root, list];
  const [token] = parser.end();
  return token!;
}

function isMapping(token: CST.Token): token is Mapping {
  return token.type === "block-map" || (token.type === "flow-collection" && token.start.source === "{");
}

function isList(token: CST.Token): token is List {
  return token.type === "block-seq" || (token.type === "flow-collection" && token.start.source === "[");
}
