import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { MeasuredOverhead } from "../../schedule/rates/chunkoverhead.js";
import type { LearnedRates } from "../../schedule/rates/rates.js";

/** How often rates are saved during a run. */
const SAVE_INTERVAL_MS = 60_000;
/** How many kinds of work are kept: the ones that ran last. */
const MAX_KINDS = 200;

interface LearnedKind {
  at: string;
  overhead?: number;
  slots: Record<string, { rate: number; evidence: number }>;
  programs?: Record<string, { seconds: number; count: number }>;
  startup?: Record<string, number>;
  deviation?: number;
  chunkOverhead?: MeasuredOverhead;
  loading?: number;
  absent?: string[];
}

/** Returns the path of the learned rates beside an inventory file; undefined if there is no such file. */
export function ratesFilePath(inventory: string | undefined): string | undefined {
  return inventory === undefined ? undefined : join(dirname(inventory), ".muster-rates.json");
}

/** Reads the rates that earlier runs of a kind of work have learned, from the file beside an inventory. */
export function readLearnedRates(inventory: string | undefined, kind: string): LearnedRates {
  return new RatesFile(ratesFilePath(inventory), kind, () => {}).read();
}

/**
 * The rates of slots that runs have learned, by kind of work (see workkind.ts). The file is plain JSON and may be deleted at any time:
 * it only helps to size the first chunks of the next run. If it cannot be read or written, a notice says so, once.
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

  /** Saves rates every minute until `work` settles, and once more then. Returns the result of `work`. */
  async saveDuring<T>(work: Promise<T>, learned: () => LearnedRates): Promise<T> {
    const timer = setInterval(() => this.save(learned()), SAVE_INTERVAL_MS);
    try {
      return await work;
    } finally {
      clearInterval(timer);
      this.save(learned());
    }
  }

  private save({
    overhead,
    slots,
    programs = new Map(),
    startup = new Map(),
    deviation,
    chunkOverhead,
    loading,
    absent,
  }: LearnedRates): void {
    if (this.file === undefined || slots.size === 0) return;
    const { [this.kind]: before, ...others } = this.readKinds();
    const kept = Object.entries(others).sort(([, a], [, b]) => (a.at < b.at ? 1 : -1));
    const kind = {
      at: new Date().toISOString(),
      overhead,
      slots: { ...before?.slots, ...Object.fromEntries(slots) },
      programs: { ...before?.programs, ...Object.fromEntries(programs) },
      startup: { ...before?.startup, ...Object.fromEntries(startup) },
      deviation: deviation ?? before?.deviation,
      chunkOverhead: chunkOverhead ?? before?.chunkOverhead,
      loading: loading ?? before?.loading,
      absent,
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

function toLearnedRates({
  overhead,
  slots,
  programs = {},
  startup = {},
  deviation,
  chunkOverhead,
  loading,
  absent,
}: LearnedKind): LearnedRates {
  const known = Object.entries(slots).filter(([, one]) => isAmount(one?.rate) && isAmount(one.evidence));
  const timed = Object.entries(programs).filter(([, one]) => isAmount(one?.seconds) && isAmount(one.count));
  const started = Object.entries(startup).filter(([, seconds]) => isAmount(seconds));
  return {
    overhead: isAmount(overhead) ? overhead : undefined,
    slots: new Map(known),
    programs: new Map(timed),
    startup: new Map(started),
    deviation: isAmount(deviation) ? deviation : undefined,
    chunkOverhead: isOverhead(chunkOverhead) ? chunkOverhead : undefined,
    loading: isAmount(loading) ? loading : undefined,
    absent: Array.isArray(absent) ? absent.filter((node) => typeof node === "string") : [],
  };
}

function isKind(value: unknown): value is LearnedKind {
  const kind = value as Partial<LearnedKind> | null;
  return typeof kind?.at === "string" && typeof kind.slots === "object" && kind.slots !== null;
}

function isOverhead(value: Partial<MeasuredOverhead> | undefined): value is MeasuredOverhead {
  return isAmount(value?.overheadSeconds) && isAmount(value.units) && Number.isFinite(value.workSeconds);
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}
