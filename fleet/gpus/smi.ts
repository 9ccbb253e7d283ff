import { isJsonObject } from "../../schemas/isjsonobject.js";
import { type GpuStatus, normalizePciAddress, parseCell } from "./gpustatus.js";

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
    const cells = [card["sclk clock speed:"], card["mclk clock speed:"], card["performance level"]];
    return [createStatus(pci, cells, driver)];
  });
  return gpus.length > 0 ? gpus : undefined;
}

/**
 * Parses `amd-smi list --json` and `amd-smi metric -c -l --json`: lists (ROCm 6), or lists under gpu_data (ROCm 7). A clock is
 * `gfx: {cur_clk}` in ROCm 6.0, `gfx: {clk}` in 6.1, and `gfx_0: {clk}` since 6.2. undefined: the output is not such a report.
 */
export function parseAmdSmi(list: string, metric: string): GpuStatus[] | undefined {
  const metrics = new Map(parseAmdCards(metric).map((card) => [card.gpu, card]));
  const gpus = parseAmdCards(list).flatMap((card): GpuStatus[] => {
    const pci = normalizePciAddress(card.bdf);
    if (pci === undefined) return [];
    const { clock, perf_level: level } = metrics.get(card.gpu) ?? {};
    const perf = typeof level === "string" ? level.replace(/^AMDSMI_DEV_PERF_LEVEL_/, "").toLowerCase() : level;
    return [createStatus(pci, [readClock(clock, "gfx"), readClock(clock, "mem"), perf], null)];
  });
  return gpus.length > 0 && metrics.size > 0 ? gpus : undefined;
}

const ECC_FIELD = "ecc.errors.uncorrected.volatile.total";
export const NVIDIA_FIELDS = ["pci.bus_id", "driver_version", "clocks.sm", "clocks.mem", "pstate", ECC_FIELD];

/**
 * Parses `nvidia-smi --query-gpu=NVIDIA_FIELDS --format=csv,noheader,nounits`. Lines that are no row, such as warnings, are skipped.
 * NVIDIA has no performance level `auto`: any reported state counts as `auto`. undefined: the output has no row.
 */
export function parseNvidiaSmi(output: string): GpuStatus[] | undefined {
  const gpus = output.split("\n").flatMap((line): GpuStatus[] => {
    const cells = line.split(",").map((cell) => cell.trim());
    const [bus, driver, sm, memory, state, errors] = cells;
    const pci = normalizePciAddress(bus);
    if (pci === undefined || cells.length < NVIDIA_FIELDS.length) return [];
    return [
      {
        pci,
        clocks: { sm: parseCell(sm), mem: parseCell(memory) },
        perf: parseCell(state) && "auto",
        driver: parseCell(driver),
        errors: Number(parseCell(errors) ?? 0) || 0,
        failure: findFailure(cells),
        isUnreadable: [sm, memory, state].some((cell) => /^\[?(unknown error|err!)\]?$/i.test(cell ?? "")),
      },
    ];
  });
  return gpus.length > 0 ? gpus : undefined;
}

/** A field that is `[N/A]` or `[Not Supported]` is not reported by this model; these words say that the driver cannot use the GPU. */
function findFailure(cells: string[]): string | undefined {
  if (cells.some((cell) => /^\[?gpu is lost\]?$/i.test(cell))) return "the driver has lost it";
  if (cells.some((cell) => /^\[?(gpu requires reset|reset required)\]?$/i.test(cell))) return "it requires a reset";
  return undefined;
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

/** Returns the first reported clock of a kind (MI300X has gfx_0 to gfx_7), else how it is printed; undefined: the tool has no such clock. */
function readClock(clocks: unknown, kind: string): unknown {
  const cells = Object.entries(lowerKeys(clocks))
    .filter(([name, clock]) => new RegExp(`^${kind}(_\\d+)?$`).test(name) && isJsonObject(clock))
    .map(([, clock]) => {
      const { clk, cur_clk: current = clk } = lowerKeys(clock);
      return isJsonObject(current) ? current.value : current;
    });
  return cells.find((cell) => parseCell(cell) !== null) ?? cells[0];
}

/** `cells`: core clock, memory clock and performance level as printed; undefined: the tool does not mention it. */
function createStatus(pci: string, cells: unknown[], driver: string | null): GpuStatus {
  const [sclk = null, mclk = null, perf = null] = cells.map(parseCell);
  const isUnreadable = cells.some((cell) => cell !== undefined && parseCell(cell) === null);
  return { pci, clocks: { sclk, mclk }, perf, driver, errors: 0, isUnreadable };
}

/**
 * Gives each partition of a card what the card reports: all of them have the card's PCI address, and only the first may report clocks.
 * Pure.
 */
export function mergePartitions(gpus: GpuStatus[]): GpuStatus[] {
  return gpus.map((gpu): GpuStatus => {
    const same = gpus.filter(({ pci }) => pci === gpu.pci);
    return same.find(isReporting) ?? same.find(({ isUnreadable }) => isUnreadable) ?? gpu;
  });
}

function isReporting({ clocks, perf, isUnreadable }: GpuStatus): boolean {
  return !isUnreadable && [...Object.values(clocks), perf].some((value) => value !== null);
}

/** Converts the keys to lower case: their case changed from ROCm 5 to ROCm 6. */
function lowerKeys(value: unknown): SmiFields {
  return isJsonObject(value)
    ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key.toLowerCase(), one]))
    : {};
}
