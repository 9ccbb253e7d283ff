import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { LearnedRates } from "../../schedule/rates/rates.js";

/** Milliseconds between two savings while a run goes on. */
const SAVE_INTERVAL_MS = 60_000;
/** Kinds of work that are remembered: those that ran last. */
const MAX_KINDS = 200;

interface LearnedKind {
  at: string;
  overhead?: number;
  slots: Record<string, { rate: number; evidence: number }>;
  programs?: Record<string, { seconds: number; count: number }>;
}

/** The file of learned rates beside an inventory; undefined where there is no inventory file. */
export function ratesFilePath(inventory: string | undefined): string | undefined {
  return inventory === undefined ? undefined : join(dirname(inventory), ".muster-rates.json");
}

/** What runs of a kind of work have learned, by the file beside an inventory. */
export function readLearnedRates(inventory: string | undefined, kind: string): LearnedRates {
  return new RatesFile(ratesFilePath(inventory), kind, () => {}).read();
}

/**
 * What runs have learned of how fast slots are, by kind of work (a job's name), in a plain JSON file that may be deleted at
 * any time. It only makes the next run's first chunks fit: where it cannot be read or written, that is noted, and no more.
 */
export class RatesFile {
  private isNoticed = false;

  constructor(
    private readonly file: string | undefined,
    private readonly kind: string,
    private readonly note: (message: string) => void,
  ) {}

  read(): LearnedRates {
    const kind = this.readKinds()[this.kind];
    return kind === undefined ? { slots: new Map() } : toLearnedRates(kind);
  }

  /** Saves now and then until `work` is over, and then once more. */
  async saveDuring<T>(work: Promise<T>, learned: () => LearnedRates): Promise<T> {
    const timer = setInterval(() => this.save(learned()), SAVE_INTERVAL_MS);
    try {
      return await work;
    } finally {
      clearInterval(timer);
      this.save(learned());
    }
  }

  private save({ overhead, slots, programs = new Map() }: LearnedRates): void {
    if (this.file === undefined || slots.size === 0) return;
    const { [this.kind]: before, ...others } = this.readKinds();
    const kept = Object.entries(others).sort(([, a], [, b]) => (a.at < b.at ? 1 : -1));
    const kind = {
      at: new Date().toISOString(),
      overhead,
      slots: { ...before?.slots, ...Object.fromEntries(slots) },
      programs: { ...before?.programs, ...Object.fromEntries(programs) },
    };
    const kinds = Object.fromEntries([[this.kind, kind], ...kept.slice(0, MAX_KINDS - 1)]);
    const partial = `${this.file}.${process.pid}`;
    try {
      writeFileSync(partial, `${JSON.stringify({ muster: 1, kinds }, null, 1)}\n`);
      renameSync(partial, this.file);
    } catch (error) {
      rmSync(partial, { force: true });
      this.noticeOnce(`learned rates are not kept: ${(error as Error).message}`);
    }
  }

  private readKinds(): Record<string, LearnedKind> {
    if (this.file === undefined) return {};
    try {
      const { kinds } = JSON.parse(readFileSync(this.file, "utf8")) as { kinds: Record<string, unknown> };
      return Object.fromEntries(Object.entries(kinds).filter((one): one is [string, LearnedKind] => isKind(one[1])));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT")
        this.noticeOnce(`${this.file}: ignored, for it cannot be read (${(error as Error).message})`);
      return {};
    }
  }

  private noticeOnce(message: string): void {
    if (!this.isNoticed) this.note(message);
    this.isNoticed = true;
  }
}

function toLearnedRates({ overhead, slots, programs = {} }: LearnedKind): LearnedRates {
  const known = Object.entries(slots).filter(([, one]) => isAmount(one?.rate) && isAmount(one.evidence));
  const timed = Object.entries(programs).filter(([, one]) => isAmount(one?.seconds) && isAmount(one.count));
  return { overhead: isAmount(overhead) ? overhead : undefined, slots: new Map(known), programs: new Map(timed) };
}

function isKind(value: unknown): value is LearnedKind {
  const kind = value as Partial<LearnedKind> | null;
  return typeof kind?.at === "string" && typeof kind.slots === "object" && kind.slots !== null;
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}
