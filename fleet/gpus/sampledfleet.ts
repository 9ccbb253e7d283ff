import { setTimeout as sleep } from "node:timers/promises";
import { MusterError } from "../../schemas/errors.js";
import { agentProgram, type NodeProgram, samplesProgram } from "../../templates/nodeprograms.js";
import { Dialer } from "../connect.js";
import type { Connection } from "../connection.js";
import type { Node } from "../node.js";
import { readNodeMessages } from "../nodemessages.js";
import { keepLostGpus, type NodeSample, parseSample } from "./gpusample.js";

/** Until a node is dialled again that could not be reached, or that was lost. */
const RETRY_MS = 5000;
const MAX_LINE_BYTES = 64 << 10;

/** A node whose samples are read. `connecting`: no answer so far. */
export type SampledNode = { node: Node } & (
  | { state: "connecting" }
  | { state: "live"; sample: NodeSample; atMs: number }
  | { state: "away"; reason: string; next?: string }
);

/** Reads from every node, over a connection of its own, what its GPUs do, until the signal aborts. */
export class SampledFleet {
  private readonly states = new Map<string, SampledNode>();
  private readonly dialer = new Dialer();
  private readonly program: NodeProgram;
  private readonly firstAnswers: Promise<void>[] = [];
  /** Resolves when every connection is closed, after the signal. */
  readonly ended: Promise<void>;

  constructor(
    private readonly nodes: readonly Node[],
    intervalSeconds: number,
    private readonly signal: AbortSignal,
  ) {
    this.program = samplesProgram(agentProgram(), intervalSeconds);
    this.ended = Promise.all(nodes.map((node) => this.follow(node))).then(() => {});
  }

  /** In the order of the inventory. */
  get current(): SampledNode[] {
    return this.nodes.map((node) => this.states.get(node.name) ?? { node, state: "connecting" });
  }

  /** Resolves when each node has answered, or could not be reached. */
  async answered(): Promise<void> {
    await Promise.all(this.firstAnswers);
  }

  private follow(node: Node): Promise<void> {
    let answer = () => {};
    this.firstAnswers.push(
      new Promise((resolve) => {
        answer = resolve;
      }),
    );
    const set = (state: SampledNode) => {
      this.states.set(node.name, state);
      answer();
    };
    return this.keepReading(node, set).finally(answer);
  }

  private async keepReading(node: Node, set: (state: SampledNode) => void): Promise<void> {
    while (!this.signal.aborted) {
      const lost = await this.readOnce(node, set);
      if (this.signal.aborted) return;
      set({ node, state: "away", ...lost });
      await sleep(RETRY_MS, undefined, { signal: this.signal }).catch(() => {});
    }
  }

  private describeLive(node: Node, sample: NodeSample, atMs: number): SampledNode {
    const before = this.states.get(node.name);
    const isFirst = before?.state !== "live";
    const kept = isFirst ? sample : keepLostGpus(sample, before.sample, (atMs - before.atMs) / 1000);
    return { node, state: "live", sample: kept, atMs };
  }

  /** Returns why no more comes. */
  private async readOnce(
    node: Node,
    set: (state: SampledNode) => void,
  ): Promise<{ reason: string; next?: string | undefined }> {
    let connection: Connection | undefined;
    const close = () => void connection?.close();
    this.signal.addEventListener("abort", close);
    try {
      connection = await this.dialer.connect(node, { signal: this.signal });
      const reason = await readNodeMessages(connection, this.program, {
        about: "its GPUs",
        maxLineBytes: MAX_LINE_BYTES,
        parse: parseSample,
        handle: async (sample) => set(this.describeLive(node, sample, Date.now())),
      });
      return { reason };
    } catch (error) {
      if (!(error instanceof MusterError)) throw error;
      return { reason: error.textFor(node.name), next: error.next };
    } finally {
      this.signal.removeEventListener("abort", close);
      await connection?.close();
    }
  }
}
