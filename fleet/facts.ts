import { MusterError } from "../schemas/errors.js";
import { isJsonObject } from "../schemas/isjsonobject.js";
import { factsSource } from "../templates/nodeprograms.js";
import type { CommandResult, Connection } from "./connection.js";

/** A GPU as its node reports it. `pci` is domain:bus:device.function. null: the node's tools do not report the value. */
export interface Gpu {
  vendor: "amd" | "nvidia";
  model: string | null;
  pci: string | null;
  /** Bytes. */
  vram: number | null;
  driver: string | null;
  /** It is the graphics of an AMD processor. */
  integrated?: true;
}

/** The hardware and software of a node, as it reports them. Sizes in bytes, times in seconds; texts are printable and short. */
export interface Facts {
  hostname: string;
  /** The kernel's boot id: a different one means that the node has rebooted. */
  boot: string;
  /** The boot time as Unix time, by the node's own clock (which may be wrong); null: unknown. */
  booted: number | null;
  uptime: number;
  python: string;
  cores: number;
  memory: { total: number; available: number };
  /** The file system of the workdir, or of its nearest existing parent. */
  disk: { path: string; free: number; total: number } | null;
  kernel: string;
  home: string;
  /** In the order of their PCI addresses. */
  gpus: Gpu[];
  /** The GPU tools that are installed: null if the tool works, else its error. */
  tools: Record<string, string | null>;
}

/** The program on the node gives each GPU tool 5 s; the rest is for a slow node to start Python. */
const FACTS_TIMEOUT_SECONDS = 20;
const MAX_GPUS = 64;

/** Whether to query the GPUs: the vendors' tools take most of the time. */
export type FactsScope = "with-gpus" | "without-gpus";

/**
 * Gathers the facts of a node by running templates/facts.py there; nothing is stored on the node. Rejects with a MusterError: NO_PYTHON,
 * LOST, TIMEOUT, or FACTS if the program fails or its output is invalid.
 */
export async function gatherFacts(connection: Connection, scope: FactsScope = "with-gpus"): Promise<Facts> {
  const { node } = connection;
  const argv = [node.python, "-", node.workdir, scope];
  const outcome = await connection.exec(argv, { stdin: factsSource(), timeout: FACTS_TIMEOUT_SECONDS });
  if (outcome.kind !== "exit" || outcome.code !== 0) throw createFactsError(node.name, node.python, outcome);
  const facts = parseFacts(outcome.stdout);
  if (facts !== undefined) return facts;
  throw new MusterError(
    "FACTS",
    `the output of ${node.python} is not a valid report: ${shortenText(outcome.stdout, 200)}`,
    {
      node: node.name,
      next: `Run \`${node.python} --version\` there and check that it is Python 3.8 or later.`,
    },
  );
}

function createFactsError(node: string, python: string, outcome: CommandResult): MusterError {
  const message = shortenText(outcome.stderr.trim().split("\n").at(-1) ?? "", 200);
  if (outcome.kind === "lost") return new MusterError("LOST", `the connection was lost: ${outcome.reason}`, { node });
  if (outcome.kind === "timeout") {
    const late = `${python} gave no facts within ${outcome.seconds} s`;
    const place = findHang(outcome.stderr);
    if (place !== undefined) {
      const next = `Run \`dmesg\` there: the kernel logs what hangs for long. ${place.next}`;
      return new MusterError("TIMEOUT", `${late}: it hangs while it ${place.doing}`, { next, node });
    }
    const isShell = message.startsWith("the login shell");
    const printed = isShell ? message : message === "" ? "it printed nothing" : `it printed: ${message}`;
    const next = isShell
      ? "Run `ssh HOST true`; if that hangs too, look for `exec`, `read` and commands that wait in its start-up files."
      : "Check its load with `uptime`, and whether `python3 -c 1` ends there.";
    return new MusterError("TIMEOUT", `${late}; ${printed}`, { next, node });
  }
  const how = outcome.kind === "exit" ? `exit ${outcome.code}` : outcome.signal;
  const isMissing = outcome.kind === "exit" && (outcome.code === 127 || outcome.code === 126);
  const next = `Install python3 (3.8 or later) there, or set its path as \`python:\` of ${node} in the inventory.`;
  if (isMissing) return new MusterError("NO_PYTHON", `${python} cannot be run: ${message || how}`, { next, node });
  return new MusterError("FACTS", `${python} could not gather facts (${how}): ${message}`, { next, node });
}

/** What the functions of templates/facts.py do that may wait for the kernel. */
const HANGING_FUNCTIONS: Record<string, { doing: string; next: string }> = {
  disk: { doing: "examines the disk of the work folder", next: "`df` of that folder shows whether it answers." },
  find_gpus: { doing: "examines the GPUs", next: "`ls /sys/class/drm/*/device/` shows whether their driver answers." },
  memory: { doing: "reads /proc/meminfo", next: "" },
};

/** Finds in what Python printed, the calls of each thread with the innermost first, where its main thread was; undefined if not there. */
function findHang(stderr: string): { doing: string; next: string } | undefined {
  const calls = [...stderr.matchAll(/^ {2}File "<stdin>", line \d+ in (\w+)$/gm)].map(([, name]) => name!);
  return calls.map((name) => HANGING_FUNCTIONS[name]).find((one) => one !== undefined);
}

/**
 * Parses the facts out of a node's output: the last line that is a report, because a shell's start-up file may print around it. Returns
 * undefined if there is no such line, or if a required field is missing or of the wrong type.
 */
export function parseFacts(output: string): Facts | undefined {
  const line = output.split("\n").findLast((one) => one.startsWith('{"muster_facts": 1,'));
  if (line === undefined) return undefined;
  try {
    return checkFacts(JSON.parse(line));
  } catch {
    return undefined;
  }
}

function checkFacts(value: unknown): Facts | undefined {
  if (!isJsonObject(value)) return undefined;
  const memory = isJsonObject(value.memory) ? value.memory : {};
  const cores = parseCount(value.cores);
  const total = parseCount(memory.total);
  const python = Array.isArray(value.python) && value.python.length === 3 ? value.python.map(parseCount) : [null];
  if (cores === null || cores === 0 || total === null || python.includes(null)) return undefined;
  return {
    hostname: parseText(value.hostname) ?? "",
    boot: parseText(value.boot) ?? "",
    booted: parseCount(value.booted),
    uptime: typeof value.uptime === "number" && Number.isFinite(value.uptime) ? value.uptime : 0,
    python: python.join("."),
    cores,
    memory: { total, available: parseCount(memory.available) ?? 0 },
    disk: parseDisk(value.disk),
    kernel: parseText(value.kernel) ?? "",
    home: parseText(value.home) ?? "",
    gpus: Array.isArray(value.gpus) ? value.gpus.slice(0, MAX_GPUS).flatMap(parseGpu) : [],
    tools: parseTools(value.tools),
  };
}

function parseGpu(value: unknown): Gpu[] {
  if (!isJsonObject(value)) return [];
  const { vendor } = value;
  if (vendor !== "amd" && vendor !== "nvidia") return [];
  const pci =
    typeof value.pci === "string" && /^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/.test(value.pci) ? value.pci : null;
  const { model, vram, driver, integrated } = value;
  return [
    {
      ...{ vendor, model: parseText(model), pci, vram: parseCount(vram), driver: parseText(driver) },
      ...(integrated === true ? { integrated } : {}),
    },
  ];
}

function parseDisk(value: unknown): Facts["disk"] {
  if (!isJsonObject(value)) return null;
  const free = parseCount(value.free);
  const total = parseCount(value.total);
  return free === null || total === null ? null : { path: parseText(value.path) ?? "", free, total };
}

function parseTools(value: unknown): Facts["tools"] {
  const found: Facts["tools"] = {};
  if (!isJsonObject(value)) return found;
  for (const name of ["amd-smi", "nvidia-smi", "rocm-smi"]) {
    if (Object.hasOwn(value, name)) found[name] = parseText(value[name]);
  }
  return found;
}

function parseCount(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function parseText(value: unknown): string | null {
  return typeof value === "string" ? shortenText(value, 300) : null;
}

/** Replaces the characters that control a terminal by spaces, and cuts the text at `limit` characters. */
function shortenText(value: string, limit: number): string {
  return value.replace(/[\p{C}\u2028\u2029]/gu, " ").slice(0, limit);
}
