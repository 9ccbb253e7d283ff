import { isJsonObject } from "../../schemas/isjsonobject.js";
/** The state of a GPU as its vendor's tool reports it. `clocks`, `perf`: as printed; null: not reported. */
export interface GpuStatus {
  pci: string;
  clocks: Record<string, string | null>;
  perf: string | null;
  driver: string | null;
  /** Uncorrected memory errors since the driver was loaded; 0 if the tool does not report them. */
  errors: number;
}

type SmiFields = Record<string, unknown>;

/** Parses `rocm-smi --showbus -c -p --showdriverversion --json` of ROCm 5 to 7. undefined: the output is not such a report. */
export function parseRocmSmi(output: string): GpuStatus[] | undefined {
  const report = findJson(output);
  if (!isJsonObject(report)) return undefined;
  const driver = parseCell(lowerKeys(report.system)["driver version"]);
  const cards = Object.entries(report).filter(([name]) => /^card\d+$/.test(name));
  const gpus = cards.flatMap(([, value]): GpuStatus[] => {
    const card = lowerKeys(value);
    const pci = normalizePciAddress(card["pci bus"]);
    if (pci === undefined) return [];
    const clocks = { sclk: parseCell(card["sclk clock speed:"]), mclk: parseCell(card["mclk clock speed:"]) };
    return [{ pci, clocks, perf: parseCell(card["performance level"]), driver, errors: 0 }];
  });
  return gpus.length > 0 ? gpus : undefined;
}

/**
 * Parses `amd-smi list --json` and `amd-smi metric -c -l --json`: lists (ROCm 6), or lists under gpu_data (ROCm 7). undefined: the
 * output is not such a report.
 */
export function parseAmdSmi(list: string, metric: string): GpuStatus[] | undefined {
  const metrics = new Map(parseAmdCards(metric).map((card) => [card.gpu, card]));
  const gpus = parseAmdCards(list).flatMap((card): GpuStatus[] => {
    const pci = normalizePciAddress(card.bdf);
    if (pci === undefined) return [];
    const { clock, perf_level: level } = metrics.get(card.gpu) ?? {};
    const clocks = { sclk: readClock(clock, "gfx_0"), mclk: readClock(clock, "mem_0") };
    const perf =
      parseCell(level)
        ?.replace(/^AMDSMI_DEV_PERF_LEVEL_/, "")
        .toLowerCase() ?? null;
    return [{ pci, clocks, perf, driver: null, errors: 0 }];
  });
  return gpus.length > 0 ? gpus : undefined;
}

const ECC_FIELD = "ecc.errors.uncorrected.volatile.total";
export const NVIDIA_FIELDS = ["pci.bus_id", "driver_version", "clocks.sm", "clocks.mem", "pstate", ECC_FIELD];

/**
 * Parses `nvidia-smi --query-gpu=NVIDIA_FIELDS --format=csv,noheader,nounits`. NVIDIA has no performance level `auto`: any reported
 * state counts as `auto`. undefined: the output is not such a report.
 */
export function parseNvidiaSmi(output: string): GpuStatus[] | undefined {
  const gpus = output.split("\n").flatMap((line): GpuStatus[] => {
    const [bus, driver, sm, memory, state, errors] = line.split(",").map((cell) => cell.trim());
    const pci = normalizePciAddress(bus);
    if (pci === undefined) return [];
    const clocks = { sm: parseCell(sm), mem: parseCell(memory) };
    return [
      {
        pci,
        clocks,
        perf: parseCell(state) && "auto",
        driver: parseCell(driver),
        errors: Number(parseCell(errors) ?? 0) || 0,
      },
    ];
  });
  return gpus.length > 0 ? gpus : undefined;
}

/** Parses the JSON in an output that may have warnings before it; undefined if there is none. */
function findJson(output: string): unknown {
  const starts = [output.search(/[[{]/), ...[...output.matchAll(/^[[{]/gm)].slice(0, 10).map(({ index }) => index)];
  for (const start of starts.filter((one) => one >= 0)) {
    const end = output.lastIndexOf(output[start] === "{" ? "}" : "]") + 1;
    try {
      return JSON.parse(output.slice(start, end));
    } catch {
      // Try the next position at which the JSON may begin.
    }
  }
  return undefined;
}

function parseAmdCards(output: string): SmiFields[] {
  const report = findJson(output);
  const cards = isJsonObject(report) ? report.gpu_data : report;
  return Array.isArray(cards) ? cards.filter((card) => isJsonObject(card) && typeof card.gpu === "number") : [];
}

function readClock(clocks: unknown, name: string): string | null {
  const clock = isJsonObject(clocks) ? clocks[name] : undefined;
  const value = isJsonObject(clock) ? clock.clk : undefined;
  return parseCell(isJsonObject(value) ? value.value : value);
}

/** Converts the keys to lower case: their case changed from ROCm 5 to ROCm 6. */
function lowerKeys(value: unknown): SmiFields {
  return isJsonObject(value)
    ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key.toLowerCase(), one]))
    : {};
}

/** Converts an address to domain:bus:device.function as the kernel writes it; nvidia-smi prints eight digits of domain. */
function normalizePciAddress(value: unknown): string | undefined {
  const parts = /^(?:[0-9a-f]{4})?([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])$/i.exec(String(value));
  return parts?.[1]?.toLowerCase();
}

/** The text of a value, at most 60 characters; null for the various spellings of "unknown". */
function parseCell(value: unknown): string | null {
  if (typeof value === "number") return String(value);
  if (typeof value !== "string") return null;
  const text = value.trim();
  const isUnknown = /^\[?(n\/a|none|unknown|unknown error|not supported|err!|gpu requires reset|)\]?$/i.test(text);
  return isUnknown ? null : text.slice(0, 60);
}
