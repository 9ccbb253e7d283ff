import {
  CARD_FIGURES,
  type CardFigure,
  THROTTLE_REASONS,
  type ThrottleReason,
} from "../../../fleet/gpus/cardfigures.js";
import type { CardUsage, SampledFigure } from "../agent/protocol.js";

/**
 * What GPUs used while they computed results that were kept: one card, the cards of a node, or those of a run. Means are weighted with time,
 * and are those of one card, and so are maxima. A figure is absent where no card has it.
 */
export interface GpuUsage extends Partial<Record<CardFigure, SampledFigure>> {
  /** Results with samples. Shorter chunks may have none. */
  results: number;
  /**
   * The time of cards that the samples stand for, and in which the cards computed results, with or without samples. Chunks that share a card
   * share its time, here and below.
   */
  seconds: number;
  computedSeconds: number;
  wattHours?: number;
  /** Of the results whose energy is known. */
  unitsPerWattHour?: number;
  /** Where the inventory has a `price`. */
  cost?: number;
  /** Seconds by reason; reasons may overlap. */
  throttled?: Partial<Record<ThrottleReason, number>>;
  /** The time in which cards computed nothing for minutes while their chunks went on. */
  idleSeconds?: number;
}

export type CardTotals = GpuUsage & { pci: string; model?: string };
/** `price`: what a kilowatt-hour costs. */
export type NodeUsage = GpuUsage & { node: string; price?: number; cards: CardTotals[] };
export type RunUsage = GpuUsage & { nodes: NodeUsage[] };

/** A result as its line has it. */
export interface UsedResult {
  node: string;
  units: bigint;
  seconds: number;
  cards?: readonly { pci: string; model?: string | undefined }[] | undefined;
  usage?: readonly CardUsage[] | undefined;
}

/** A node may name any number of cards. */
const MAX_CARDS_PER_NODE = 256;

/** Sums of what GPUs used, by node and card. Their size grows with the cards, not with the results. */
export class UsageSums {
  private readonly nodes = new Map<
    string,
    { own: Sums; cards: Map<string, { model: string | undefined; sums: Sums }> }
  >();
  private hasSamples = false;

  /** Adds a result that is kept. One without a GPU adds nothing. */
  add({ node, units, seconds, cards = [], usage = [] }: UsedResult): void {
    if (cards.length === 0) return;
    const there = this.nodes.get(node) ?? { own: new Sums(), cards: new Map() };
    this.nodes.set(node, there);
    const addresses = new Map(cards.map(({ pci, model }) => [pci, model]));
    const ofCards = usage.filter(({ pci }) => addresses.has(pci));
    const hasEnergy = ofCards.length === addresses.size && ofCards.every(({ wattHours }) => wattHours !== undefined);
    for (const [pci, model] of addresses) {
      const card = there.cards.get(pci) ?? { model, sums: new Sums() };
      if (there.cards.size < MAX_CARDS_PER_NODE) there.cards.set(pci, card);
      const one = ofCards.find((of) => of.pci === pci);
      card.sums.computedSeconds += seconds * (one?.share ?? 1);
      there.own.computedSeconds += seconds * (one?.share ?? 1);
      if (one === undefined) continue;
      this.hasSamples = true;
      card.sums.addUsage(one);
      there.own.addUsage(one);
      card.sums.results++;
      // The units of a chunk on several cards are divided among them.
      if (hasEnergy) card.sums.addEnergy(Number(units) / addresses.size, one.wattHours!);
    }
    if (ofCards.length > 0) there.own.results++;
    if (hasEnergy) there.own.addEnergy(Number(units), sum(ofCards.map(({ wattHours }) => wattHours!)));
  }

  /** Returns what was used so far; undefined where no result has samples. `priceOf`: what a kilowatt-hour costs at a node. */
  summarize(priceOf: (node: string) => number | undefined): RunUsage | undefined {
    if (!this.hasSamples) return undefined;
    const run = new Sums();
    const nodes = [...this.nodes].map(([node, { own, cards }]): NodeUsage => {
      run.join(own);
      const price = priceOf(node);
      const byCard = [...cards].sort(([a], [b]) => (a < b ? -1 : 1));
      return {
        node,
        ...(price === undefined ? {} : { price }),
        ...own.describe(price),
        cards: byCard.map(([pci, { model, sums }]) => ({
          pci,
          ...(model === undefined ? {} : { model }),
          ...sums.describe(price),
        })),
      };
    });
    const costs = nodes.flatMap(({ cost }) => (cost === undefined ? [] : [cost]));
    return { ...run.describe(undefined), ...(costs.length === 0 ? {} : { cost: sum(costs) }), nodes };
  }
}

/** The running sums of a card or of several. */
class Sums {
  results = 0;
  computedSeconds = 0;
  private seconds = 0;
  private wattHours: number | undefined;
  private measuredUnits = 0;
  private measuredWattHours = 0;
  private idleSeconds = 0;
  private throttled: Partial<Record<ThrottleReason, number>> | undefined;
  private readonly figures = new Map<CardFigure, { product: number; seconds: number; max: number }>();

  /** Adds the units of a result whose whole energy is known. */
  addEnergy(units: number, wattHours: number): void {
    this.measuredUnits += units;
    this.measuredWattHours += wattHours;
  }

  addUsage(usage: CardUsage): void {
    const { share = 1, wattHours, throttled, idleSeconds = 0 } = usage;
    const seconds = usage.seconds * share;
    this.seconds += seconds;
    this.idleSeconds += idleSeconds * share;
    if (wattHours !== undefined) this.wattHours = (this.wattHours ?? 0) + wattHours;
    this.addThrottled(throttled && mapValues(throttled, (value) => value * share));
    for (const name of CARD_FIGURES) {
      const figure = usage[name];
      // A chunk that ended with its only sample has a mean all the same.
      const weight = Math.max(seconds, 0.001);
      if (figure !== undefined) this.addFigure(name, figure.mean * weight, weight, figure.max);
    }
  }

  join(other: Sums): void {
    this.results += other.results;
    this.computedSeconds += other.computedSeconds;
    this.seconds += other.seconds;
    this.idleSeconds += other.idleSeconds;
    if (other.wattHours !== undefined) this.wattHours = (this.wattHours ?? 0) + other.wattHours;
    this.addEnergy(other.measuredUnits, other.measuredWattHours);
    this.addThrottled(other.throttled);
    for (const [name, { product, seconds, max }] of other.figures) this.addFigure(name, product, seconds, max);
  }

  describe(price: number | undefined): GpuUsage {
    const { results, seconds, computedSeconds, wattHours, measuredUnits, measuredWattHours, throttled, idleSeconds } =
      this;
    const figures = [...this.figures].map(([name, { product, seconds: weight, max }]) => {
      const mean = Math.min(max, round(product / weight, 1));
      return [name, { mean, max }];
    });
    return {
      results,
      seconds: round(seconds, 1),
      computedSeconds: round(computedSeconds, 1),
      ...(wattHours === undefined ? {} : { wattHours: round(wattHours, 4) }),
      ...(measuredWattHours > 0
        ? { unitsPerWattHour: Number((measuredUnits / measuredWattHours).toPrecision(6)) }
        : {}),
      ...(price === undefined || wattHours === undefined ? {} : { cost: (wattHours / 1000) * price }),
      ...Object.fromEntries(figures),
      ...(throttled === undefined ? {} : { throttled: mapValues(throttled, (value) => round(value, 1)) }),
      ...(idleSeconds === 0 ? {} : { idleSeconds: round(idleSeconds, 1) }),
    };
  }

  private addThrottled(throttled: Partial<Record<ThrottleReason, number>> | undefined): void {
    if (throttled === undefined) return;
    this.throttled ??= {};
    for (const reason of THROTTLE_REASONS) {
      const seconds = throttled[reason];
      if (seconds !== undefined) this.throttled[reason] = (this.throttled[reason] ?? 0) + seconds;
    }
  }

  private addFigure(name: CardFigure, product: number, seconds: number, max: number): void {
    const before = this.figures.get(name);
    this.figures.set(name, {
      product: (before?.product ?? 0) + product,
      seconds: (before?.seconds ?? 0) + seconds,
      max: Math.max(before?.max ?? max, max),
    });
  }
}

function mapValues<K extends string>(record: Partial<Record<K, number>>, change: (value: number) => number) {
  return Object.fromEntries(
    Object.entries<number | undefined>(record).map(([key, value]) => [key, change(value ?? 0)]),
  ) as Partial<Record<K, number>>;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
