import { CARD_FIGURES, type CardFigure, THROTTLE_REASONS } from "../../../fleet/gpus/cardfigures.js";
import type { CardUsage, DoneMessage, SampledFigure } from "./protocol.js";

/** The least and the largest value that a card can have. Keep in sync with templates/muster_agent/gpu/card_figures.py. */
const RANGES: Record<CardFigure, readonly [least: number, most: number]> = {
  busy: [0, 100],
  used: [0, 2 ** 44],
  watts: [0, 10_000],
  celsius: [-60, 250],
  junctionCelsius: [-60, 250],
  memoryCelsius: [-60, 250],
  mhz: [0, 100_000],
  memoryMhz: [0, 100_000],
  fan: [0, 250],
};

const SECONDS_PER_HOUR = 3600;
/** Times and means are rounded by the agent. */
const ROUNDING_SECONDS = 1;
const ROUNDING_WATTS = 1;

/**
 * Returns what an attempt used of its cards, without what cannot be true: cards that it was not bound to, more time than it ran, figures
 * beyond what a card can have, more energy than its power makes. A node may send anything. Undefined where nothing is left.
 */
export function selectCredibleUsage({
  cards = [],
  usage = [],
  seconds,
}: Pick<DoneMessage, "cards" | "usage" | "seconds">): CardUsage[] | undefined {
  const addresses = new Set(cards.map(({ pci }) => pci));
  const isOwn = (one: CardUsage) => addresses.delete(one.pci) && one.seconds <= seconds + ROUNDING_SECONDS;
  const credible = usage.filter(isOwn).map((one) => selectCredible(one, seconds));
  return credible.length === 0 ? undefined : credible;
}

function selectCredible(one: CardUsage, attemptSeconds: number): CardUsage {
  const { pci, samples, seconds, share, wattHours, throttled, idleSeconds } = one;
  const figures = CARD_FIGURES.flatMap((name) => {
    const figure = one[name];
    return figure !== undefined && isCredible(name, figure) ? [[name, { mean: figure.mean, max: figure.max }]] : [];
  });
  const reasons = THROTTLE_REASONS.flatMap((reason) => {
    const held = throttled?.[reason];
    return held !== undefined && held <= seconds + ROUNDING_SECONDS ? [[reason, held]] : [];
  });
  return {
    pci,
    samples,
    seconds,
    ...(share === undefined ? {} : { share }),
    ...(wattHours !== undefined && isCredibleEnergy(wattHours, one) ? { wattHours } : {}),
    ...Object.fromEntries(figures),
    ...(throttled === undefined ? {} : { throttled: Object.fromEntries(reasons) }),
    ...(idleSeconds !== undefined && idleSeconds <= attemptSeconds + ROUNDING_SECONDS ? { idleSeconds } : {}),
  };
}

function isCredible(name: CardFigure, { mean, max }: SampledFigure): boolean {
  const [least, most] = RANGES[name];
  return least <= mean && mean <= max && max <= most;
}

function isCredibleEnergy(wattHours: number, { watts, seconds }: CardUsage): boolean {
  if (watts === undefined || !isCredible("watts", watts)) return false;
  return wattHours * SECONDS_PER_HOUR <= (watts.max + ROUNDING_WATTS) * (seconds + ROUNDING_SECONDS);
}
