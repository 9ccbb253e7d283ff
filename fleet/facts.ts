import { MusterError } from "../schemas/errors.js";
import { factsSource } from "../templates/nodeprograms.js";
import type { Connection, Outcome } from "./connection.js";

/** A GPU as its node shows it. `pci` is domain:bus:device.function; null: the node's tools do not know. */
export interface Gpu {
  vendor: "amd" | "nvidia";
  model: string | null;
  pci: string | null;
  /** Bytes. */
  vram: number | null;
  driver: string | null;
}

/** What a node says of itself. Sizes in bytes, times in seconds. Texts are printable, and short. */
export interface Facts {
  hostname: string;
  /** The kernel's id of this boot: another one means a reboot in between. */
  boot: string;
  /** When it booted, Unix time, by the node's own clock (which may be wrong); null: unknown. */
  booted: number | null;
  uptime: number;
  python: string;
  cores: number;
  memory: { total: number; available: number };
  /** The file system of the workdir, or of its nearest folder that exists. */
  disk: { path: string; free: number; total: number } | null;
  kernel: string;
  home: string;
  /** By PCI address. */
  gpus: Gpu[];
  /** The GPU tools that were found: null where one answered, else why it did not. */
  tools: Record<string, string | null>;
}

/** Seconds for the whole look: a tool gets five of them, a slow rig's python the rest. */
const PATIENCE = 20;
const MAX_GPUS = 64;

/** Whether GPUs are looked for: their vendors' tools take most of the time of a look. */
export type Scope = "with-gpus" | "without-gpus";

/**
 * Asks a node for its facts; nothing is stored there. Rejects with a MusterError that says which step failed: NO_PYTHON,
 * LOST, TIMEOUT, or FACTS when what it said cannot be used.
 */
export async function gatherFacts(connection: Connection, scope: Scope = "with-gpus"): Promise<Facts> {
  const { node } = connection;
  const argv = [node.python, "-", node.workdir, scope];
  const outcome = await connection.exec(argv, { stdin: factsSource(), timeout: PATIENCE });
  if (outcome.kind !== "exit" || outcome.code !== 0) throw failure(node.name, node.python, outcome);
  const facts = parseFacts(outcome.stdout);
  if (facts !== undefined) return facts;
  throw new MusterError(
    "FACTS",
    69,
    `${node.name}: what it says of itself cannot be read: ${printable(outcome.stdout, 200)}`,
    {
      next: `Run \`${node.python} --version\` there and look whether it is a Python 3.8 or later.`,
    },
  );
}

function failure(name: string, python: string, outcome: Outcome): MusterError {
  const said = printable(outcome.stderr.trim().split("\n").at(-1) ?? "", 200);
  if (outcome.kind === "lost")
    return new MusterError("LOST", 69, `${name}: the connection was lost: ${outcome.reason}`);
  if (outcome.kind === "timeout") {
    const next = "Its disk or a GPU driver may hang; look at it with `uptime` and `dmesg`.";
    return new MusterError("TIMEOUT", 69, `${name}: ${python} gave no facts within ${outcome.seconds} s`, { next });
  }
  const how = outcome.kind === "exit" ? `exit ${outcome.code}` : outcome.signal;
  const missing = outcome.kind === "exit" && (outcome.code === 127 || outcome.code === 126);
  const next = `Install python3 (3.8 or later) there, or name its path as \`python:\` of ${name} in the inventory.`;
  if (missing) return new MusterError("NO_PYTHON", 69, `${name}: ${python} cannot be run: ${said || how}`, { next });
  return new MusterError("FACTS", 69, `${name}: ${python} could not gather facts (${how}): ${said}`, { next });
}

/**
 * The facts in a node's output: the last line that is a report (a shell's start-up file may print around it). Undefined
 * where there is none, or where what every caller relies on is not of its type.
 */
export function parseFacts(output: string): Facts | undefined {
  const line = output.split("\n").findLast((one) => one.startsWith('{"muster_facts": 1,'));
  if (line === undefined) return undefined;
  try {
    return checked(JSON.parse(line));
  } catch {
    return undefined;
  }
}

type Fields = Record<string, unknown>;

function checked(value: unknown): Facts | undefined {
  if (!isFields(value)) return undefined;
  const memory = isFields(value.memory) ? value.memory : {};
  const cores = count(value.cores);
  const total = count(memory.total);
  const python = Array.isArray(value.python) && value.python.length === 3 ? value.python.map(count) : [null];
  if (cores === null || cores === 0 || total === null || python.includes(null)) return undefined;
  return {
    hostname: text(value.hostname) ?? "",
    boot: text(value.boot) ?? "",
    booted: count(value.booted),
    uptime: typeof value.uptime === "number" && Number.isFinite(value.uptime) ? value.uptime : 0,
    python: python.join("."),
    cores,
    memory: { total, available: count(memory.available) ?? 0 },
    disk: disk(value.disk),
    kernel: text(value.kernel) ?? "",
    home: text(value.home) ?? "",
    gpus: Array.isArray(value.gpus) ? value.gpus.slice(0, MAX_GPUS).flatMap(gpu) : [],
    tools: tools(value.tools),
  };
}

function gpu(value: unknown): Gpu[] {
  if (!isFields(value)) return [];
  const { vendor } = value;
  if (vendor !== "amd" && vendor !== "nvidia") return [];
  const pci =
    typeof value.pci === "string" && /^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/.test(value.pci) ? value.pci : null;
  return [{ vendor, model: text(value.model), pci, vram: count(value.vram), driver: text(value.driver) }];
}

function disk(value: unknown): Facts["disk"] {
  if (!isFields(value)) return null;
  const free = count(value.free);
  const total = count(value.total);
  return free === null || total === null ? null : { path: text(value.path) ?? "", free, total };
}

function tools(value: unknown): Facts["tools"] {
  const found: Facts["tools"] = {};
  if (!isFields(value)) return found;
  for (const name of ["amd-smi", "nvidia-smi", "rocm-smi"]) {
    if (Object.hasOwn(value, name)) found[name] = text(value[name]);
  }
  return found;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function count(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function text(value: unknown): string | null {
  return typeof value === "string" ? printable(value, 300) : null;
}

/** A node's text without anything that a terminal would obey. */
function printable(value: string, limit: number): string {
  return value.replace(/[\p{C}\u2028\u2029]/gu, " ").slice(0, limit);
}
