import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type ParsedNode,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import type { Problem } from "./errors.js";
import { OffsetTable } from "./offsettable.js";
import { isForbiddenKey, type ParsedText, toExactNumber } from "./source.js";
import { MAX_YAML_DEPTH, type YamlPiece } from "./yamlpieces.js";

/** How many values aliases may add to a file: a limit against the "billion laughs" attack. */
const MAX_ALIASED_VALUES = 10_000;

type Pairs = YAMLMap.Parsed["items"];

/** The value that an anchor names. While it is being converted (`isOpen`), no alias may refer to it. */
interface AnchoredValue {
  isOpen: boolean;
  value: unknown;
  /** Its block, in the offset table. */
  block: number;
  /** How many values it consists of. */
  size: number;
  /** The text of a scalar as it is written. */
  source: string | undefined;
}

/** A list that continues in the next piece. */
interface OpenList {
  list: unknown[];
  /** Its start offset. */
  start: number;
  /** The result of `OffsetTable.open`. */
  opened: number;
  anchored: AnchoredValue | undefined;
  /** How many values precede it. */
  before: number;
}

/** Builds a plain value from the pieces of a document, and records the offsets of its parts. */
export class YamlValueBuilder {
  readonly problems: Problem[] = [];
  readonly #createProblem: (offset: number, message: string) => Problem;
  readonly #offsets = new OffsetTable();
  readonly #texts: ParsedText["texts"] = new Map();
  readonly #anchors = new Map<string, AnchoredValue>();
  /** The value of the pieces added so far. */
  #value: unknown;
  #isBegun = false;
  /** The node of this piece that continues in the next one, and its list (undefined if it was rejected). */
  #openNode: unknown;
  #open: OpenList | undefined;
  /** The block of the value converted last, in `#offsets`. */
  #block = 0;
  #size = 0;
  #depth = 0;
  #aliased = 0;

  constructor(problem: (offset: number, message: string) => Problem) {
    this.#createProblem = problem;
  }

  /** Adds the next piece, which must have no problems. */
  add({ document: { contents }, isOpen }: YamlPiece): void {
    this.#openNode = isOpen && isMap(contents) ? contents.items.at(-1)?.value : undefined;
    if (this.#isBegun) this.#continue((contents as YAMLMap.Parsed).items, this.#value as Record<string, unknown>);
    else this.#value = this.#convert(contents);
    this.#isBegun = true;
  }

  /** Returns the value of all pieces. */
  result(): ParsedText {
    return { value: this.#value, offsets: this.#offsets, block: this.#block, texts: this.#texts };
  }

  /** Adds further items to the open list, then the pairs after it to the top mapping. */
  #continue([pair, ...pairs]: Pairs, object: Record<string, unknown>): void {
    const { key, value } = pair!;
    this.#depth = 2;
    if (this.#open !== undefined)
      for (const item of (value as YAMLSeq.Parsed).items) this.#open.list.push(this.#convertItem(item as ParsedNode));
    this.#depth = 1;
    if (value !== this.#openNode && this.#open !== undefined) this.#closeList(this.#open, key as Scalar.Parsed);
    this.#addPairs(pairs, object);
    this.#depth = 0;
    if (this.#openNode === undefined) this.#block = this.#offsets.close(0, object);
  }

  /** Closes the open list, and records it under its key in the top mapping. */
  #closeList({ list, start, opened, anchored, before }: OpenList, key: Scalar.Parsed): void {
    const block = this.#offsets.close(opened, list);
    this.#offsets.add(key.value as string, key.range[0], start, block);
    if (anchored !== undefined) this.#closeAnchor(anchored, { value: list, block, before });
    this.#open = undefined;
  }

  #convert(node: ParsedNode | null): unknown {
    this.#block = 0;
    if (node === null) return null;
    if (isAlias(node)) return this.#resolveAlias(node as Alias.Parsed);
    const anchored = this.#registerAnchor(node);
    const before = this.#size++;
    if (++this.#depth > MAX_YAML_DEPTH) {
      this.#depth--;
      return this.#refuse(node.range[0], `nested deeper than ${MAX_YAML_DEPTH} levels`);
    }
    let value: unknown;
    if (isMap(node)) value = this.#convertMap(node as YAMLMap.Parsed);
    else if (isSeq(node)) value = this.#convertList(node as YAMLSeq.Parsed, anchored, before);
    else value = this.#convertScalar(node as Scalar.Parsed);
    this.#depth--;
    // The top-level value stays open, because any alias is inside it.
    if (anchored !== undefined && this.#depth > 0 && node !== this.#openNode)
      this.#closeAnchor(anchored, { value, block: this.#block, before });
    return value;
  }

  #convertMap(map: YAMLMap.Parsed): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    const opened = this.#offsets.open();
    this.#addPairs(map.items, object);
    const isOpen = this.#openNode !== undefined && map.items.at(-1)?.value === this.#openNode;
    if (!isOpen) this.#block = this.#offsets.close(opened, object);
    return object;
  }

  #addPairs(pairs: Pairs, object: Record<string, unknown>): void {
    for (const pair of pairs) {
      const start = pair.key.range[0];
      const key = isScalar(pair.key) ? pair.key.value : undefined;
      this.#registerAnchor(pair.key);
      if (typeof key !== "string") this.#refuse(start, "a key must be plain text");
      else if (isForbiddenKey(key)) this.#refuse(start, `the key "${key}" is not allowed`);
      else if (Object.hasOwn(object, key)) this.#refuse(start, `the key "${key}" is there twice`);
      else {
        const valueStart = pair.value?.range[0] ?? start;
        object[key] = this.#convert(pair.value);
        if (pair.value === null || pair.value !== this.#openNode)
          this.#offsets.add(key, start, valueStart, this.#block);
      }
    }
  }

  #convertList(list: YAMLSeq.Parsed, anchored: AnchoredValue | undefined, before: number): unknown[] {
    const opened = this.#offsets.open();
    const array = list.items.map((item) => this.#convertItem(item as ParsedNode));
    if (list === this.#openNode) this.#open = { list: array, start: list.range[0], opened, anchored, before };
    else this.#block = this.#offsets.close(opened, array);
    return array;
  }

  #convertItem(item: ParsedNode): unknown {
    const start = item.range[0];
    const value = this.#convert(item);
    this.#offsets.add(0, start, start, this.#block);
    return value;
  }

  #convertScalar(node: Scalar.Parsed): unknown {
    const value = typeof node.value === "bigint" ? toExactNumber(node.value) : node.value;
    if (typeof value !== "string" && node.source !== undefined && node.source !== String(value))
      this.#texts.set(node.range[0], node.source);
    return value;
  }

  /** Registers the anchor of a node; undefined if it has none. */
  #registerAnchor(node: ParsedNode): AnchoredValue | undefined {
    if (isAlias(node) || node.anchor === undefined) return undefined;
    const source = isScalar(node) ? node.source : undefined;
    const anchored: AnchoredValue = { isOpen: true, value: undefined, block: 0, size: 0, source };
    this.#anchors.set(node.anchor, anchored);
    return anchored;
  }

  #closeAnchor(
    anchored: AnchoredValue,
    { value, block, before }: { value: unknown; block: number; before: number },
  ): void {
    Object.assign(anchored, { isOpen: false, value, block, size: this.#size - before });
  }

  #resolveAlias({ source, range: [start] }: Alias.Parsed): unknown {
    const known = this.#anchors.get(source);
    if (known === undefined) return this.#refuse(start, `there is no anchor &${source} above`);
    if (known.isOpen) return this.#refuse(start, "an alias must not be inside the value that it refers to");
    const before = this.#aliased;
    this.#size += known.size;
    this.#aliased += known.size;
    if (this.#aliased > MAX_ALIASED_VALUES) {
      const message = `aliases make this file too large (more than ${MAX_ALIASED_VALUES} values)`;
      return before > MAX_ALIASED_VALUES ? undefined : this.#refuse(start, message);
    }
    if (known.source !== undefined && typeof known.value !== "string") this.#texts.set(start, known.source);
    this.#block = known.block;
    return known.value;
  }

  #refuse(offset: number, message: string): undefined {
    this.problems.push(this.#createProblem(offset, message));
    return undefined;
  }
}
