export interface Sizing {
  base: number;
  min: number;
  max: number;
}

/**
 * Units of a slot's next chunk: the slowest slot gets `base`, a slot six times as fast six times as much, within the bounds
 * (coordinator.py's factor x base). A slot that nothing is known of gets `base`.
 */
export function chunkSize(sizing: Sizing, rate: number | undefined, slowest: number | undefined): bigint {
  const factor = rate === undefined || slowest === undefined ? 1 : rate / slowest;
  const size = Math.round(sizing.base * factor);
  return BigInt(Math.max(sizing.min, Math.min(sizing.max, size)));
}
