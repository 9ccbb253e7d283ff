/** Where an entry of a mapping or list begins: offsets of its key (of a list: of the item) and its value, and the block of the value. */
export interface EntryOffsets {
  key: number;
  value: number;
  /** 0 for a scalar. */
  block: number;
}

/** Numbers of an entry in a block. */
const NUMBERS_PER_ENTRY = 3;

/**
 * Where the entries of all mappings and lists of a file begin. A file may have a million of them, so they lie in one array of
 * integers: each container is a block there, the number of its entries and then these, in the order of its keys.
 */
export class OffsetTable {
  #numbers = new Uint32Array(256);
  #length = 1;
  /** Entries of the containers that are not at their end, the innermost last: key, its offset, the value's, the value's block. */
  readonly #pending: (string | number)[] = [];

  /** Begins a container inside of the one begun last. The answer is for `close`. */
  open(): number {
    return this.#pending.length;
  }

  /** Adds an entry to the container that was begun last. */
  add(key: string | number, keyOffset: number, valueOffset: number, block: number): void {
    this.#pending.push(key, keyOffset, valueOffset, block);
  }

  /** Adds the entries of a mapping that has ended. */
  addAll(mapping: object, block: number): void {
    for (const [index, name] of Object.keys(mapping).entries()) {
      const { key, value, block: inner } = this.entry(block, index)!;
      this.add(name, key, value, inner);
    }
  }

  /** Ends the container begun last; answers its block. */
  close(opened: number, container: object): number {
    const pending = this.#pending;
    const count = (pending.length - opened) / (NUMBERS_PER_ENTRY + 1);
    const block = this.#reserve(count);
    const places = Array.isArray(container) ? undefined : findEntryOrder(container, pending, opened);
    for (let index = 0; index < count; index++) {
      const from = opened + index * (NUMBERS_PER_ENTRY + 1);
      const to = block + 1 + (places?.get(pending[from] as string) ?? index) * NUMBERS_PER_ENTRY;
      for (let at = 0; at < NUMBERS_PER_ENTRY; at++) this.#numbers[to + at] = pending[from + 1 + at] as number;
    }
    pending.length = opened;
    return block;
  }

  /** The entry at an index of a block, in the order of `Object.keys`; undefined where there is none. */
  entry(block: number, index: number): EntryOffsets | undefined {
    if (!(index >= 0 && index < this.#numbers[block]!)) return undefined;
    const at = block + 1 + index * NUMBERS_PER_ENTRY;
    const [key, value, inner] = this.#numbers.subarray(at, at + NUMBERS_PER_ENTRY) as unknown as [
      number,
      number,
      number,
    ];
    return { key, value, block: inner };
  }

  /** A new block for so many entries. */
  #reserve(count: number): number {
    const block = this.#length;
    this.#length += 1 + count * NUMBERS_PER_ENTRY;
    if (this.#length > this.#numbers.length) {
      const larger = new Uint32Array(Math.max(this.#length, 2 * this.#numbers.length));
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[block] = count;
    return block;
  }
}

/** By key its place among all of a mapping, where that is not the order they were added in: JavaScript has integers first. */
function findEntryOrder(
  container: object,
  pending: (string | number)[],
  opened: number,
): Map<string, number> | undefined {
  const keys = Object.keys(container);
  const isInOrder = keys.every((key, index) => key === pending[opened + index * (NUMBERS_PER_ENTRY + 1)]);
  return isInOrder ? undefined : new Map(keys.map((key, index) => [key, index]));
}
