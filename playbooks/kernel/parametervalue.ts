/**
 * Whether a kernel parameter has the wanted value. Numbers are compared by value in any notation (0xffff7fff = 4294934527 = -32769, as a
 * signed parameter prints it), Y/N as 1/0, lists item by item, other texts verbatim.
 */
export function isSameParameterValue(want: string, have: string): boolean {
  const [wanted, had] = [want.trim(), have.trim()];
  if (wanted === had) return true;
  const [wants, hads] = [wanted.split(","), had.split(",")];
  if (wants.length > 1)
    return wants.length === hads.length && wants.every((one, i) => isSameParameterValue(one, hads[i]!));
  const [a, b] = [parseNumber(wanted), parseNumber(had)];
  if (a === undefined || b === undefined) return false;
  if (a === b) return true;
  const signed = a < 0n ? a : b;
  // Only a negative number has a second (unsigned) form; a large number must not lose its upper half.
  const width = signed >= -(2n ** 31n) ? 32 : 64;
  return signed < 0n && a < 0n !== b < 0n && BigInt.asUintN(width, signed) === (a < 0n ? b : a);
}

const BOOLEAN_WORDS: Record<string, bigint> = { y: 1n, n: 0n, true: 1n, false: 0n, on: 1n, off: 0n, yes: 1n, no: 0n };

function parseNumber(text: string): bigint | undefined {
  const word = text.toLowerCase();
  if (Object.hasOwn(BOOLEAN_WORDS, word)) return BOOLEAN_WORDS[word];
  const parts = /^([-+]?)(0x[0-9a-f]+|[0-9]+)$/.exec(word);
  if (parts === null || word.length > 40) return undefined;
  return parts[1] === "-" ? -BigInt(parts[2]!) : BigInt(parts[2]!);
}
