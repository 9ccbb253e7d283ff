/** A parsed number, or the message that says what is wrong with the text. */
export type ParsedQuantity = { ok: true; value: number } | { ok: false; message: string };

const SECONDS_PER_UNIT: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400 };
const BYTES_PER_UNIT: Record<string, number> = {
  "": 1,
  B: 1,
  K: 2 ** 10,
  KiB: 2 ** 10,
  M: 2 ** 20,
  MiB: 2 ** 20,
  G: 2 ** 30,
  GiB: 2 ** 30,
  T: 2 ** 40,
  TiB: 2 ** 40,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
};

const MAX_WATTS = 10_000;
const MAX_MHZ = 100_000;

/** Parses a span of time into seconds: a number of seconds, or text like 500ms, 60s, 10m, 1h30m, 2d. */
export function parseDuration(value: unknown): ParsedQuantity {
  if (typeof value === "number") return checkPositive(value, "a span of time");
  const bad = {
    ok: false,
    message: "must be a span of time like 500ms, 60s, 10m or 1h30m (a plain number is seconds)",
  } as const;
  if (typeof value !== "string") return bad;
  if (/^\d+(\.\d+)?$/.test(value)) return checkPositive(Number(value), "a span of time");
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(value)) return bad;
  let seconds = 0;
  for (const [, number, unit] of value.matchAll(/([\d.]+)([a-z]+)/g))
    seconds += Number(number) * SECONDS_PER_UNIT[unit!]!;
  return checkPositive(seconds, "a span of time");
}

/** Parses a span of time into seconds; `never` is 0. */
export function parseDurationOrNever(value: unknown): ParsedQuantity {
  return value === "never" ? { ok: true, value: 0 } : parseDuration(value);
}

/** Parses an interval of at least a second into seconds; `never` is 0. */
export function parseIntervalOrNever(value: unknown): ParsedQuantity {
  const parsed = parseDurationOrNever(value);
  if (!parsed.ok || parsed.value === 0 || parsed.value >= 1) return parsed;
  return { ok: false, message: "must be never, or a span of time of at least 1s" };
}

/** Parses the price of energy into what a kilowatt-hour costs: text like 0.30/kWh. */
export function parsePrice(value: unknown): ParsedQuantity {
  const match = typeof value === "string" ? /^(\d{1,9}(?:\.\d{1,9})?) ?\/ ?kWh$/.exec(value) : null;
  if (match !== null) return { ok: true, value: Number(match[1]) };
  const number = typeof value === "number" || /^\d+(\.\d+)?$/.test(`${value}`);
  return { ok: false, message: `must be a price with its unit, like ${number ? value : "0.30"}/kWh` };
}

/** Parses a share above 0 and up to 1: a number, or text like 1%. */
export function parseShare(value: unknown): ParsedQuantity {
  const percent = typeof value === "string" ? /^(\d+(?:\.\d+)?) ?%$/.exec(value) : null;
  const share = percent === null ? value : Number(percent[1]) / 100;
  if (typeof share === "number" && share > 0 && share <= 1) return { ok: true, value: share };
  return { ok: false, message: "must be a share above 0 and up to 100%, like 1% (or 0.01)" };
}

/** A part of a whole number of units: a share as an exact fraction, or a count. */
export type UnitPart = Readonly<{ numerator: bigint; denominator: bigint } | { count: bigint }>;

/** Parses a part of a job: a share above 0 and up to 100%, like 95%, or a number of units above 0. */
export function parseUnitPart(value: unknown): { ok: true; value: UnitPart } | { ok: false; message: string } {
  const isExact = typeof value === "bigint" || (typeof value === "number" && Number.isSafeInteger(value));
  if (isExact && value > 0) return { ok: true, value: { count: BigInt(value) } };
  const percent = typeof value === "string" ? /^(\d{1,9})(?:\.(\d{1,9}))? ?%$/.exec(value) : null;
  const [, whole = "0", decimals = ""] = percent ?? [];
  const part = { numerator: BigInt(whole + decimals), denominator: 100n * 10n ** BigInt(decimals.length) };
  if (part.numerator > 0n && part.numerator <= part.denominator) return { ok: true, value: part };
  return { ok: false, message: "must be a share above 0 and up to 100%, like 95%, or a number of units above 0" };
}

type ParsedOther = { ok: true } | { ok: false; message: string };

/** By the kind that the schema keyword `quantity` names. */
const PARSERS: Readonly<Record<string, (value: unknown) => ParsedOther>> = {
  duration: parseDuration,
  pause: parseDurationOrNever,
  size: parseSize,
  budget: parseSizeOrZero,
  share: parseShare,
  part: parseUnitPart,
  power: parsePower,
  price: parsePrice,
  interval: parseIntervalOrNever,
  clocks: parseClocks,
  fan: parseFan,
};

/** Parses a value of the kind that the schema keyword `quantity` names: a key of `PARSERS`. */
export function parseQuantity(wanted: unknown, value: unknown): ParsedOther {
  return PARSERS[String(wanted)]!(value);
}

/** Parses an electric power into watts: a number of watts, or text like 100W or 87.5W. */
export function parsePower(value: unknown): ParsedQuantity {
  const match = typeof value === "string" ? /^(\d{1,5}(?:\.\d{1,3})?) ?W$/.exec(value) : null;
  const watts = match === null ? value : Number(match[1]);
  if (typeof watts === "number" && watts > 0 && watts <= MAX_WATTS) return { ok: true, value: watts };
  return { ok: false, message: `must be a power like 100W, up to ${MAX_WATTS}W (a plain number is watts)` };
}

/** Bounds of a clock in MHz, or `max`: the highest that the card has. */
export type ClockSetting = "max" | { minMhz: number; maxMhz: number };

/** Parses a clock: `max`, or a list of two whole numbers, its bounds in MHz. */
export function parseClocks(value: unknown): { ok: true; value: ClockSetting } | { ok: false; message: string } {
  if (value === "max") return { ok: true, value };
  const [minMhz, maxMhz, ...rest]: unknown[] = Array.isArray(value) ? value : [];
  if (isClock(minMhz) && isClock(maxMhz) && minMhz <= maxMhz && rest.length === 0)
    return { ok: true, value: { minMhz, maxMhz } };
  return { ok: false, message: "must be max, or the bounds in MHz, the lower first, like [500, 2200]" };
}

function isClock(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= MAX_MHZ;
}

/** Parses the speed of a fan: `auto`, or a share above 0 and up to 1. */
export function parseFan(value: unknown): { ok: true; value: "auto" | number } | { ok: false; message: string } {
  if (value === "auto") return { ok: true, value };
  const share = parseShare(value);
  return share.ok
    ? share
    : { ok: false, message: "must be auto, or a share above 0 and up to 100%, like 60% (or 0.6)" };
}

/** Parses a size into bytes: a number of bytes, or text like 512MiB, 8GiB, 1G (powers of 1024) or 10GB (powers of 1000). */
export function parseSize(value: unknown): ParsedQuantity {
  const parsed = parseByteCount(value);
  return parsed.ok ? checkPositive(parsed.value, "a size") : parsed;
}

/** Parses a size into bytes as `parseSize` does; it may be 0. */
export function parseSizeOrZero(value: unknown): ParsedQuantity {
  const parsed = parseByteCount(value);
  return parsed.ok && parsed.value === 0 ? parsed : parseSize(value);
}

function parseByteCount(value: unknown): ParsedQuantity {
  if (typeof value === "number") return { ok: true, value };
  const match = typeof value === "string" ? /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(value) : null;
  const factor = match === null || !Object.hasOwn(BYTES_PER_UNIT, match[2]!) ? undefined : BYTES_PER_UNIT[match[2]!];
  if (match === null || factor === undefined) {
    return { ok: false, message: "must be a size like 512MiB, 8GiB or 1G (a plain number is bytes)" };
  }
  return { ok: true, value: Math.floor(Number(match[1]) * factor) };
}

function checkPositive(value: number, what: string): ParsedQuantity {
  if (value > 0 && value <= Number.MAX_SAFE_INTEGER) return { ok: true, value };
  return { ok: false, message: `must be ${what} above zero${value > 0 ? ", and not beyond 2^53" : ""}` };
}
