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

/** How many values aliases may add to a file before it counts as an attack. */
const MAX_ALIASED_VALUES = 10_000;

type Pairs = YAMLMap.Parsed["items"];

/** What an anchor names. While it is being read (`isOpen`) no alias may stand for it. */
interface AnchoredValue {
  isOpen: boolean;
  value: unknown;
  /** Where its parts stand. */
  block: number;
  /** How many values it is made of. */
  size: number;
  /** As it is written, where it is a scalar. */
  source: string | undefined;
}

/** A list that goes on in the next piece. */
interface OpenList {
  list: unknown[];
  /** Where it begins. */
  start: number;
  /** What `Positions.open` answered. */
  opened: number;
  anchored: AnchoredValue | undefined;
  /** How many values came before it. */
  before: number;
}

/** Turns the pieces of a document into one plain value, and notes where its parts stood. */
export class YamlValueBuilder {
  readonly problems: Problem[] = [];
  readonly #problem: (offset: number, message: string) => Problem;
  readonly #positions = new OffsetTable();
  readonly #texts: ParsedText["texts"] = new Map();
  readonly #anchors = new Map<string, AnchoredValue>();
  /** The document, as far as it has been added. */
  #value: unknown;
  #isBegun = false;
  /** The node of this piece that goes on in the next one, and what it has come to (undefined where it was refused). */
  #openNode: unknown;
  #open: OpenList | undefined;
  /** Of the value that was converted last, in `#positions`. */
  #block = 0;
  #size = 0;
  #depth = 0;
  #aliased = 0;

  constructor(problem: (offset: number, message: string) => Problem) {
    this.#problem = problem;
  }

  /** Adds the next piece, which must be without faults. */
  add({ document: { contents }, isOpen }: YamlPiece): void {
    this.#openNode = isOpen && isMap(contents) ? contents.items.at(-1)?.value : undefined;
    if (this.#isBegun) this.#continue((contents as YAMLMap.Parsed).items, this.#value as Record<string, unknown>);
    else this.#value = this.#convert(contents);
    this.#isBegun = true;
  }

  /** What all pieces have come to. */
  reading(): ParsedText {
    return { value: this.#value, offsets: this.#positions, block: this.#block, texts: this.#texts };
  }

  /** Adds further items to the list that is open, then the pairs after it to the top mapping. */
  #continue([pair, ...pairs]: Pairs, object: Record<string, unknown>): void {
    const { key, value } = pair!;
    this.#depth = 2;
    if (this.#open !== undefined)
      for (const item of (value as YAMLSeq.Parsed).items) this.#open.list.push(this.#item(item as ParsedNode));
    this.#depth = 1;
    if (value !== this.#openNode && this.#open !== undefined) this.#end(this.#open, key as Scalar.Parsed);
    this.#addPairs(pairs, object);
    this.#depth = 0;
    if (this.#openNode === undefined) this.#block = this.#positions.close(0, object);
  }

  /** Ends a list that was open, under its key in the top mapping. */
  #end({ list, start, opened, anchored, before }: OpenList, key: Scalar.Parsed): void {
    const block = this.#positions.close(opened, list);
    this.#positions.add(key.value as string, key.range[0], start, block);
    if (anchored !== undefined) this.#settle(anchored, { value: list, block, before });
    this.#open = undefined;
  }

  #convert(node: ParsedNode | null): unknown {
    this.#block = 0;
    if (node === null) return null;
    if (isAlias(node)) return this.#alias(node as Alias.Parsed);
    const anchored = this.#anchor(node);
    const before = this.#size++;
    if (++this.#depth > MAX_YAML_DEPTH) {
      this.#depth--;
      return this.#refuse(node.range[0], `nested deeper than ${MAX_YAML_DEPTH} levels`);
    }
    let value: unknown;
    if (isMap(node)) value = this.#map(node as YAMLMap.Parsed);
    else if (isSeq(node)) value = this.#list(node as YAMLSeq.Parsed, anchored, before);
    else value = this.#scalar(node as Scalar.Parsed);
    this.#depth--;
    // What is around everything else does not end before an alias.
    if (anchored !== undefined && this.#depth > 0 && node !== this.#openNode)
      this.#settle(anchored, { value, block: this.#block, before });
    return value;
  }

  #map(map: YAMLMap.Parsed): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    const opened = this.#positions.open();
    this.#addPairs(map.items, object);
    const isOpen = this.#openNode !== undefined && map.items.at(-1)?.value === this.#openNode;
    if (!isOpen) this.#block = this.#positions.close(opened, object);
    return object;
  }

  #addPairs(pairs: Pairs, object: Record<string, unknown>): void {
    for (const pair of pairs) {
      const start = pair.key.range[0];
      const key = isScalar(pair.key) ? pair.key.value : undefined;
      this.#anchor(pair.key);
      if (typeof key !== "string") this.#refuse(start, "a key must be plain text");
      else if (isForbiddenKey(key)) this.#refuse(start, `the key "${key}" is not allowed`);
      else if (Object.hasOwn(object, key)) this.#refuse(start, `the key "${key}" is there twice`);
      else {
        const valueStart = pair.value?.range[0] ?? start;
        object[key] = this.#convert(pair.value);
        if (pair.value === null || pair.value !== this.#openNode)
          this.#positions.add(key, start, valueStart, this.#block);
      }
    }
  }

  #list(list: YAMLSeq.Parsed, anchored: AnchoredValue | undefined, before: number): unknown[] {
    const opened = this.#positions.open();
    const array = list.items.map((item) => this.#item(item as ParsedNode));
    if (list === this.#openNode) this.#open = { list: array, start: list.range[0], opened, anchored, before };
    else this.#block = this.#positions.close(opened, array);
    return array;
  }

  #item(item: ParsedNode): unknown {
    const start = item.range[0];
    const value = this.#convert(item);
    this.#positions.add(0, start, start, this.#block);
    return value;
  }

  #scalar(node: Scalar.Parsed): unknown {
    const value = typeof node.value === "bigint" ? toExactNumber(node.value) : node.value;
    if (typeof value !== "string" && node.source !== undefined && node.source !== String(value))
      this.#texts.set(node.range[0], node.source);
    return value;
  }

  /** What the anchor of a node names from here on; undefined where it has none. */
  #anchor(node: ParsedNode): AnchoredValue | undefined {
    if (isAlias(node) || node.anchor === undefined) return undefined;
    const source = isScalar(node) ? node.source : undefined;
    const anchored: AnchoredValue = { isOpen: true, value: undefined, block: 0, size: 0, source };
    this.#anchors.set(node.anchor, anchored);
    return anchored;
  }

  #settle(anchored: AnchoredValue, { value, block, before }: { value: unknown; block: number; before: number }): void {
    Object.assign(anchored, { isOpen: false, value, block, size: this.#size - before });
  }

  #alias({ source, range: [start] }: Alias.Parsed): unknown {
    const known = this.#anchors.get(source);
    if (known === undefined) return this.#refuse(start, `nothing above is called &${source}`);
    if (known.isOpen) return this.#refuse(start, "an alias may not stand inside what it names");
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
    this.problems.push(this.#problem(offset, message));
    return undefined;
  }
}
