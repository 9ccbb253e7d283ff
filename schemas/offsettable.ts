/** The offsets of an entry of a mapping or list: of its key (in a list: of the item) and of its value, and the block of the value. */
export interface EntryOffsets {
  key: number;
  value: number;
  /** 0 for a scalar. */
  block: number;
}

/** How many numbers of a block describe one entry. */
const NUMBERS_PER_ENTRY = 3;

/**
 * The offsets of the entries of all mappings and lists of a file. There may be millions, so one array of integers holds them all: each
 * container is a block of it, which begins with the number of entries, followed by the entries in the order of the container's keys.
 */
export class OffsetTable {
  #numbers = new Uint32Array(256);
  #length = 1;
  /** The entries of the open containers, the innermost last. Each entry is its key, the key's offset, the value's offset and block. */
  readonly #pending: (string | number)[] = [];

  /** Opens a container inside the innermost open one. Pass the result to `close`. */
  open(): number {
    return this.#pending.length;
  }

  /** Adds an entry to the innermost open container. */
  add(key: string | number, keyOffset: number, valueOffset: number, block: number): void {
    this.#pending.push(key, keyOffset, valueOffset, block);
  }

  /** Adds the entries of a closed mapping to the innermost open container. */
  addAll(mapping: object, block: number): void {
    for (const [index, name] of Object.keys(mapping).entries()) {
      const { key, value, block: inner } = this.entry(block, index)!;
      this.add(name, key, value, inner);
    }
  }

  /** Closes the innermost open container and returns its block. */
  close(opened: number, container: object): number {
    const pending = this.#pending;
    const count = (pending.length - opened) / (NUMBERS_PER_ENTRY + 1);
    const block = this.#reserve(count);
    const order = Array.isArray(container) ? undefined : findEntryOrder(container, pending, opened);
    for (let index = 0; index < count; index++) {
      const from = opened + index * (NUMBERS_PER_ENTRY + 1);
      const to = block + 1 + (order?.get(pending[from] as string) ?? index) * NUMBERS_PER_ENTRY;
      for (let at = 0; at < NUMBERS_PER_ENTRY; at++) this.#numbers[to + at] = pending[from + 1 + at] as number;
    }
    pending.length = opened;
    return block;
  }

  /** Returns the entry at an index of a block, in the order of `Object.keys`; undefined if there is none. */
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

  /** Reserves a block for `count` entries and returns it. */
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

/** Maps each key to its index in the container; undefined if they were added in that order. JavaScript lists integer keys first. */
function findEntryOrder(
  container: object,
  pending: (string | number)[],
  opened: number,
): Map<string, number> | undefined {
  const keys = Object.keys(container);
  const isInOrder = keys.every((key, index) => key === pending[opened + index * (NUMBERS_PER_ENTRY + 1)]);
  return isInOrder ? undefined : new Map(keys.map((key, index) => [key, index]));
}
