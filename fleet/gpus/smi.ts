/** A GPU as its vendor's tool shows it now. `clocks`, `perf`: as printed; null where nothing usable is printed. */
export interface Shown {
  pci: string;
  clocks: Record<string, string | null>;
  perf: string | null;
  driver: string | null;
  /** Memory errors that could not be corrected, since the driver was loaded; 0 where nothing is told. */
  errors: number;
}

type Fields = Record<string, unknown>;

/** GPUs of `rocm-smi --showbus -c -p --showdriverversion --json`, ROCm 5 to 7; undefined: it is no such report. */
export function parseRocm(output: string): Shown[] | undefined {
  const report = jsonIn(output);
  if (!isFields(report)) return undefined;
  const driver = text(lower(report.system)["driver version"]);
  const cards = Object.entries(report).filter(([name]) => /^card\d+$/.test(name));
  const shown = cards.flatMap(([, value]): Shown[] => {
    const card = lower(value);
    const pci = address(card["pci bus"]);
    if (pci === undefined) return [];
    const clocks = { sclk: text(card["sclk clock speed:"]), mclk: text(card["mclk clock speed:"]) };
    return [{ pci, clocks, perf: text(card["performance level"]), driver, errors: 0 }];
  });
  return shown.length > 0 ? shown : undefined;
}

/** GPUs of `amd-smi list --json` and `amd-smi metric -c -l --json`: lists (ROCm 6) or lists under gpu_data (ROCm 7). */
export function parseAmd(list: string, metric: string): Shown[] | undefined {
  const metrics = new Map(cardsIn(metric).map((card) => [card.gpu, card]));
  const shown = cardsIn(list).flatMap((card): Shown[] => {
    const pci = address(card.bdf);
    if (pci === undefined) return [];
    const { clock, perf_level: level } = metrics.get(card.gpu) ?? {};
    const clocks = { sclk: clockOf(clock, "gfx_0"), mclk: clockOf(clock, "mem_0") };
    const perf =
      text(level)
        ?.replace(/^AMDSMI_DEV_PERF_LEVEL_/, "")
        .toLowerCase() ?? null;
    return [{ pci, clocks, perf, driver: null, errors: 0 }];
  });
  return shown.length > 0 ? shown : undefined;
}

const ECC = "ecc.errors.uncorrected.volatile.total";
export const NVIDIA_FIELDS = ["pci.bus_id", "driver_version", "clocks.sm", "clocks.mem", "pstate", ECC];

/** GPUs of `nvidia-smi --query-gpu=NVIDIA_FIELDS --format=csv,noheader,nounits`. NVIDIA has no `auto`: a state is enough. */
export function parseNvidia(output: string): Shown[] | undefined {
  const shown = output.split("\n").flatMap((line): Shown[] => {
    const [bus, driver, sm, memory, state, errors] = line.split(",").map((cell) => cell.trim());
    const pci = address(bus);
    if (pci === undefined) return [];
    const clocks = { sm: text(sm), mem: text(memory) };
    return [{ pci, clocks, perf: text(state) && "auto", driver: text(driver), errors: Number(text(errors) ?? 0) || 0 }];
  });
  return shown.length > 0 ? shown : undefined;
}

/** The JSON of an output that may have warnings before it. */
function jsonIn(output: string): unknown {
  const starts = [output.search(/[[{]/), ...[...output.matchAll(/^[[{]/gm)].slice(0, 10).map(({ index }) => index)];
  for (const start of starts.filter((one) => one >= 0)) {
    const end = output.lastIndexOf(output[start] === "{" ? "}" : "]") + 1;
    try {
      return JSON.parse(output.slice(start, end));
    } catch {
      // The next place at which it may begin.
    }
  }
  return undefined;
}

function cardsIn(output: string): Fields[] {
  const report = jsonIn(output);
  const cards = isFields(report) ? report.gpu_data : report;
  return Array.isArray(cards) ? cards.filter((card) => isFields(card) && typeof card.gpu === "number") : [];
}

function clockOf(clocks: unknown, name: string): string | null {
  const clock = isFields(clocks) ? clocks[name] : undefined;
  const value = isFields(clock) ? clock.clk : undefined;
  return text(isFields(value) ? value.value : value);
}

/** Keys in lower case: their case changed from ROCm 5 to 6. */
function lower(value: unknown): Fields {
  return isFields(value) ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key.toLowerCase(), one])) : {};
}

/** domain:bus:device.function as the kernel spells it; nvidia-smi has eight digits of domain. */
function address(value: unknown): string | undefined {
  const parts = /^(?:[0-9a-f]{4})?([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])$/i.exec(String(value));
  return parts?.[1]?.toLowerCase();
}

/** What a tool says; null for the words that it has for "I do not know". */
function text(value: unknown): string | null {
  if (typeof value === "number") return String(value);
  if (typeof value !== "string") return null;
  const said = value.trim();
  const isUnknown = /^\[?(n\/a|none|unknown|unknown error|not supported|err!|gpu requires reset|)\]?$/i.test(said);
  return isUnknown ? null : said.slice(0, 60);
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
