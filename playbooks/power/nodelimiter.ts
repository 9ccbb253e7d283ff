import type { PowerLimiter } from "../../executor/bench/benchnode.js";
import type { Channel, Connection } from "../../fleet/connection.js";
import type { GpuVendor } from "../../fleet/gpus/probeoutput.js";
import { resolveWithin } from "../../fleet/rejectonabort.js";
import { createSudoError, runAsRoot } from "../../fleet/runasroot.js";
import { MusterError } from "../../schemas/errors.js";
import { gpuLimitsSource, gpuStepsSource } from "../../templates/nodeprograms.js";
import { findFailure } from "./applysteps.js";
import { findOtherLimits, limitSteps, readCardLimits } from "./cardlimits.js";
import { type CardStep, type CardStepResult, parseStepAnswer } from "./cardsteps.js";
import { groupCards } from "./groupcards.js";

const ANSWER_TIMEOUT_MS = 40_000;
/** Well below SILENCE_SECONDS of templates/gpu_limits.py. */
const HEARTBEAT_INTERVAL_MS = 10_000;
const MAX_OUTPUT_CHARS = 4 << 20;

/** Power limits of the GPUs of one vendor, in watts by PCI address. */
type OldLimits = ReadonlyMap<string, number>;

/** Rejects with SUDO where the user may not change limits on the node. */
export async function checkMayLimit(connection: Connection): Promise<void> {
  const done = await connection.exec(runAsRoot(["true"]), { timeout: ANSWER_TIMEOUT_MS / 1000 });
  if (done.kind === "exit" && done.code === 0) return;
  throw createSudoError(done.stderr.trim().split("\n").at(-1)?.slice(0, 200) ?? "");
}

/**
 * Changes the power limits of a node's GPUs of one vendor through a process there (templates/gpu_limits.py), which restores them when it is
 * told to, and by itself when this connection ends.
 */
export class NodeLimiter implements PowerLimiter {
  private output = "";
  private stderr = "";
  private wanted: number | undefined;
  /** Whether limits may have been changed. */
  private isChanged = false;
  private readonly heartbeat: NodeJS.Timeout;
  private old: OldLimits = new Map();
  /** The number of the last request. */
  private request = 0;
  private isOver = false;
  private notify = () => {};

  private constructor(
    private readonly connection: Connection,
    private readonly vendor: GpuVendor,
    private readonly channel: Channel,
  ) {
    const { stdin, stdout, stderr, ended } = channel;
    stdin.on("error", () => {});
    stdout.on("data", (bytes: Buffer) => {
      this.output = (this.output + bytes.toString()).slice(-MAX_OUTPUT_CHARS);
      this.notify();
    });
    stderr.on("data", (bytes: Buffer) => {
      this.stderr = (this.stderr + bytes.toString()).slice(-2000);
    });
    void ended.then(() => {
      this.isOver = true;
      this.notify();
    });
    this.heartbeat = setInterval(() => stdin.write("\n"), HEARTBEAT_INTERVAL_MS);
  }

  /**
   * Locks GPUs of a vendor, and reads the limits that are to be restored. Closes `connection` in the end. Rejects with a ConnectionError,
   * with SUDO, with COMMAND where another bench has locked them, and with PROBE where limits cannot be read.
   */
  static async start(connection: Connection, vendor: GpuVendor, cards: readonly string[]): Promise<NodeLimiter> {
    const program = ["-IS", "-c", gpuLimitsSource(), gpuStepsSource(), JSON.stringify(cards)];
    const channel = await connection.open(runAsRoot([connection.node.python, ...program]));
    const limiter = new NodeLimiter(connection, vendor, channel);
    try {
      await limiter.receive(new Map());
      limiter.old = await limiter.readOldLimits(cards);
      return limiter;
    } catch (error) {
      await limiter.close();
      throw error;
    }
  }

  private async readOldLimits(cards: readonly string[]): Promise<OldLimits> {
    const limits = await readCardLimits(this.connection, this.vendor);
    const old = cards.map((pci) => [pci, limits.get(pci)?.now] as const);
    const unread = old.flatMap(([pci, watts]): [string, string][] => (watts === undefined ? [[pci, "unknown"]] : []));
    if (unread.length > 0) throw new MusterError("PROBE", `power limits cannot be read: ${groupCards(unread)}`);
    return new Map(old.map(([pci, watts]) => [pci, watts!]));
  }

  async set(watts: number): Promise<void> {
    const steps = new Map([...this.old.keys()].map((pci) => [pci, limitSteps(this.vendor, watts)]));
    this.isChanged = true;
    this.request++;
    const [restore, cards] = [this.restoringSteps(), steps].map((one) => Object.fromEntries(one));
    this.channel.stdin.write(`${JSON.stringify({ request: this.request, restore, cards })}\n`);
    await this.receive(steps);
    this.wanted = watts;
    const change = await this.findChange();
    if (change !== undefined) throw new MusterError("COMMAND", `a power limit of ${watts} W was not taken: ${change}`);
  }

  async findChange(): Promise<string | undefined> {
    if (this.wanted === undefined) return undefined;
    return findOtherLimits(await readCardLimits(this.connection, this.vendor), [...this.old.keys()], this.wanted);
  }

  async restore(): Promise<void> {
    clearInterval(this.heartbeat);
    this.channel.stdin.end();
    this.request++;
    try {
      if (!this.isChanged) return;
      const failure = await this.receive(this.restoringSteps()).then(() => undefined, asMusterError);
      if (this.isChanged) await this.checkRestored(failure);
    } finally {
      await this.close();
    }
  }

  /** Reads the limits, and rejects where they are not those that the cards had. `failure`: why that might be. */
  private async checkRestored(failure: MusterError | undefined): Promise<void> {
    const limits = await readCardLimits(this.connection, this.vendor).catch(asMusterError);
    if (limits instanceof MusterError && failure === undefined) failure = limits;
    const others = [...this.old].flatMap(([pci, watts]) =>
      limits instanceof MusterError ? [] : (findOtherLimits(limits, [pci], watts) ?? []),
    );
    if (others.length === 0 && !(limits instanceof MusterError)) return;
    const wanted = groupCards([...this.old].map(([pci, watts]) => [pci, `${watts} W`] as const));
    const reason = [...others, ...(failure === undefined ? [] : [failure.reason])].join("; ");
    throw new MusterError(failure?.code ?? "COMMAND", `power limits may not be restored (${wanted}): ${reason}`, {
      next: "The node restores them by itself within a minute if it still runs: look with the vendor's tool. A reboot restores them, too.",
    });
  }

  private async close(): Promise<void> {
    clearInterval(this.heartbeat);
    this.channel.destroy();
    await this.connection.close();
  }

  private restoringSteps(): Map<string, CardStep[]> {
    return new Map([...this.old].map(([pci, watts]) => [pci, limitSteps(this.vendor, watts)]));
  }

  /** Waits for the answer to the last request. Rejects with SUDO, COMMAND or TIMEOUT. */
  private async receive(steps: ReadonlyMap<string, readonly CardStep[]>): Promise<void> {
    const answer = await resolveWithin(this.findAnswer(this.request), ANSWER_TIMEOUT_MS);
    if (answer === undefined) throw new MusterError("TIMEOUT", "the power limits were not changed in time");
    const failures = [...steps].flatMap(([pci, wanted]) => {
      const failure = findFailure(wanted, answer.get(pci) ?? []);
      return failure === undefined ? [] : [[pci, failure] as const];
    });
    if (failures.length > 0) throw new MusterError("COMMAND", groupCards(failures));
  }

  /** Skips the answers to requests before, which came too late. */
  private async findAnswer(request: number): Promise<Map<string, CardStepResult[]>> {
    for (;;) {
      const end = this.output.indexOf("\n");
      if (end < 0) {
        if (this.isOver) throw this.explainEnd();
        await new Promise<void>((resolve) => {
          this.notify = resolve;
        });
        continue;
      }
      const stdout = this.output.slice(0, end);
      this.output = this.output.slice(end + 1);
      const answer = parseStepAnswer({ stdout, stderr: "", exit: 0 });
      if ("cards" in answer && answer.request === request) return answer.cards;
    }
  }

  private explainEnd(): MusterError {
    const last = this.stderr.trim().split("\n").at(-1)?.slice(0, 200) ?? "";
    if (/^sudo:|sudo: not found/.test(last)) {
      this.isChanged = false;
      return createSudoError(last);
    }
    return new MusterError("COMMAND", `power limits cannot be changed: ${last || "the program there ended"}`);
  }
}

/** Returns an error that is no bug. */
function asMusterError(error: unknown): MusterError {
  if (error instanceof MusterError) return error;
  throw error;
}
