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
import { exact, isForbiddenKey, type Reading, remember, type Spots } from "./source.js";
import { DEEPEST, type Piece } from "./yamlpieces.js";

/** How many values aliases may add to a file before it counts as an attack. */
const MOST_ALIASED = 10_000;

type Pairs = YAMLMap.Parsed["items"];

/** What an anchor names. While it is being read (`isOpen`) no alias may stand for it. */
interface Anchored {
  isOpen: boolean;
  value: unknown;
  /** How many values it is made of. */
  size: number;
  /** As it is written, where it is a scalar. */
  source: string | undefined;
}

/** A list that goes on in the next piece. */
interface OpenList {
  list: unknown[];
  anchored: Anchored | undefined;
  /** How many values came before it. */
  before: number;
}

/** Turns the pieces of a document into one plain value, and notes where its parts stood. */
export class Plain {
  readonly problems: Problem[] = [];
  readonly spots: Reading["spots"] = new Map();
  readonly texts: Reading["texts"] = new Map();
  /** The document, as far as it has been added. */
  value: unknown;
  readonly #problem: (offset: number, message: string) => Problem;
  readonly #anchors = new Map<string, Anchored>();
  #isBegun = false;
  /** The node of the piece that goes on in the next one. */
  #openNode: unknown;
  #open: OpenList | undefined;
  #size = 0;
  #depth = 0;
  #aliased = 0;

  constructor(problem: (offset: number, message: string) => Problem) {
    this.#problem = problem;
  }

  /** Adds the next piece, which must be without faults. */
  add({ document: { contents }, isOpen }: Piece): void {
    this.#openNode = isOpen && isMap(contents) ? contents.items.at(-1)?.value : undefined;
    if (this.#isBegun) this.#continue((contents as YAMLMap.Parsed).items);
    else this.value = this.#convert(contents, {}, "");
    this.#isBegun = true;
  }

  /** Adds further items to the list that is open, then the pairs after it to the top mapping. */
  #continue([pair, ...pairs]: Pairs): void {
    const open = this.#open;
    const node = pair?.value as YAMLSeq.Parsed;
    this.#depth += 2;
    if (open !== undefined) this.#addItems(node, open.list);
    this.#depth--;
    if (node !== this.#openNode) {
      if (open?.anchored !== undefined) this.#settle(open.anchored, open.list, open.before);
      this.#open = undefined;
    }
    this.#addPairs(pairs, this.value as Record<string, unknown>);
    this.#depth--;
  }

  #convert(node: ParsedNode | null, parent: object, key: string | number): unknown {
    if (node === null) return null;
    if (isAlias(node)) return this.#alias(node as Alias.Parsed, parent, key);
    const anchored = this.#anchor(node);
    const before = this.#size++;
    if (++this.#depth > DEEPEST) {
      this.#depth--;
      return this.#refuse(node.range[0], `nested deeper than ${DEEPEST} levels`);
    }
    let value: unknown;
    if (isMap(node)) value = this.#map(node as YAMLMap.Parsed);
    else if (isSeq(node)) value = this.#list(node as YAMLSeq.Parsed);
    else value = this.#scalar(node as Scalar.Parsed, parent, key);
    this.#depth--;
    if (node === this.#openNode) this.#open = { list: value as unknown[], anchored, before };
    // What is around everything else never ends before an alias.
    else if (anchored !== undefined && this.#depth > 0) this.#settle(anchored, value, before);
    return value;
  }

  #map(map: YAMLMap.Parsed): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    this.spots.set(object, []);
    this.#addPairs(map.items, object);
    return object;
  }

  #addPairs(pairs: Pairs, object: Record<string, unknown>): void {
    const spots = this.spots.get(object) as Spots;
    for (const pair of pairs) {
      const start = pair.key.range[0];
      const key = isScalar(pair.key) ? pair.key.value : undefined;
      this.#anchor(pair.key);
      if (typeof key !== "string") this.#refuse(start, "a key must be plain text");
      else if (isForbiddenKey(key)) this.#refuse(start, `the key "${key}" is not allowed`);
      else if (Object.hasOwn(object, key)) this.#refuse(start, `the key "${key}" is there twice`);
      else {
        spots.push(key, start, pair.value?.range[0] ?? start);
        object[key] = this.#convert(pair.value, object, key);
      }
    }
  }

  #list(list: YAMLSeq.Parsed): unknown[] {
    const array: unknown[] = [];
    this.spots.set(array, []);
    this.#addItems(list, array);
    return array;
  }

  #addItems({ items }: YAMLSeq.Parsed, array: unknown[]): void {
    const spots = this.spots.get(array) as Spots;
    for (const item of items as ParsedNode[]) {
      const start = item.range[0];
      spots.push(array.length, start, start);
      array.push(this.#convert(item, array, array.length));
    }
  }

  #scalar(node: Scalar.Parsed, parent: object, key: string | number): unknown {
    const value = typeof node.value === "bigint" ? exact(node.value) : node.value;
    if (typeof value !== "string" && node.source !== undefined && node.source !== String(value)) {
      remember(this.texts, parent, key, node.source);
    }
    return value;
  }

  /** What the anchor of a node names from here on; undefined where it has none. */
  #anchor(node: ParsedNode): Anchored | undefined {
    if (isAlias(node) || node.anchor === undefined) return undefined;
    const source = isScalar(node) ? node.source : undefined;
    const anchored: Anchored = { isOpen: true, value: undefined, size: 0, source };
    this.#anchors.set(node.anchor, anchored);
    return anchored;
  }

  #settle(anchored: Anchored, value: unknown, before: number): void {
    Object.assign(anchored, { isOpen: false, value, size: this.#size - before });
  }

  #alias({ source, range: [start] }: Alias.Parsed, parent: object, key: string | number): unknown {
    const known = this.#anchors.get(source);
    if (known === undefined) return this.#refuse(start, `nothing above is called &${source}`);
    if (known.isOpen) return this.#refuse(start, "an alias may not stand inside what it names");
    const before = this.#aliased;
    this.#size += known.size;
    this.#aliased += known.size;
    if (this.#aliased > MOST_ALIASED) {
      const message = `aliases make this file too large (more than ${MOST_ALIASED} values)`;
      return before > MOST_ALIASED ? undefined : this.#refuse(start, message);
    }
    if (known.source !== undefined && typeof known.value !== "string") {
      remember(this.texts, parent, key, known.source);
    }
    return known.value;
  }

  #refuse(offset: number, message: string): undefined {
    this.problems.push(this.#problem(offset, message));
    return undefined;
  }
}
