import { relayProgram } from "../../templates/nodeprograms.js";
import { captureStreams } from "../cappedoutput.js";
import {
  type Channel,
  type CommandResult,
  type Connection,
  describeStop,
  type ExecOptions,
  type ExitReason,
  type Files,
} from "../connection.js";
import { ConnectionError } from "../connectionerror.js";
import type { Node } from "../node.js";
import { resolveWithin } from "../rejectonabort.js";
import { timeoutsFor } from "../ssh/timeouts.js";
import { RelayClient } from "./relayclient.js";
import { RelayFiles } from "./relayfiles.js";
import type { RelayProgram } from "./relayprogram.js";

/** How long the start may take unless the caller says otherwise: a busy controller of Slurm is slow to start a step. */
const START_SECONDS = 60;
/** How long a node may take to kill a process group that has exceeded its timeout. */
const KILL_SECONDS = 5;
/** How long the relay may take to end: it removes files that were not complete. */
const CLOSE_TIMEOUT_MS = 8000;

/** A connection through a relay. */
export interface RelayConnection extends Connection {
  /** The name that the machine has for itself. */
  readonly hostname: string;
  /** The variables of Slurm that the relay has, those that bind GPUs, and TMPDIR. */
  readonly environment: Readonly<Record<string, string>>;
  /** Returns this connection for a node of which more is known now. */
  withNode(node: Node): Connection;
}

export interface RelayOptions {
  /** The host key of the machine that started the relay. */
  hostKey?: string;
  /** How long the relay may take to start. */
  startSeconds?: number;
  /** Between two signs of life that are asked for; without any for three times as long the connection is lost. */
  keepaliveSeconds?: number;
  /** For one request: to start a program, or to stat a file. */
  requestSeconds?: number;
  /** For a file transfer without progress. */
  stallSeconds?: number;
  /** Called once, when the relay has ended after `close`. */
  release?: () => Promise<void>;
}

/**
 * Returns a connection through the relay that runs in `channel`: a Python with the arguments of `relayProgram()`, to which nothing has
 * been written yet. The channel belongs to the connection. Rejects with a ConnectionError (SHELL, LOST, TIMEOUT) if the relay does not start.
 */
export async function connectRelay(channel: Channel, node: Node, options: RelayOptions = {}): Promise<RelayConnection> {
  const client = new RelayClient(node.name, channel);
  try {
    const hello = await client.awaitHello(relayProgram().stdin, options.startSeconds ?? START_SECONDS);
    return new OpenRelayConnection(node, client, { ...timeoutsFor(node), ...options }, hello);
  } catch (error) {
    client.lose("the relay did not start");
    throw error;
  }
}

class OpenRelayConnection implements RelayConnection {
  readonly closed: Promise<string>;
  readonly hostKey?: string;
  readonly hostname: string;
  readonly environment: Readonly<Record<string, string>>;
  private readonly relayFiles: RelayFiles;
  private closing: Promise<void> | undefined;

  constructor(
    readonly node: Node,
    private readonly client: RelayClient,
    private readonly options: RelayOptions & { requestSeconds: number; stallSeconds: number; keepaliveSeconds: number },
    hello: Record<string, unknown>,
  ) {
    this.closed = client.lost;
    if (options.hostKey !== undefined) this.hostKey = options.hostKey;
    this.hostname = `${hello.hostname}`;
    this.environment = textsOf(hello.environment);
    this.relayFiles = new RelayFiles(node.name, client, options);
    client.keepAlive(options.keepaliveSeconds);
  }

  withNode(node: Node): Connection {
    return Object.create(this, { node: { value: node, enumerable: true } });
  }

  open(argv: string[]): Promise<Channel> {
    return this.client.start(argv, this.options.requestSeconds);
  }

  async exec(argv: string[], options: ExecOptions): Promise<CommandResult> {
    const { timeout, signal } = options;
    const begin = performance.now();
    let program: RelayProgram;
    try {
      program = await this.client.start(argv, Math.min(timeout, this.options.requestSeconds));
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      const late = error.code === "TIMEOUT" && performance.now() - begin >= timeout * 1000;
      return { ...describeFailedStart(error, late, timeout), stdout: "", stderr: `${error.detail}\n` };
    }
    const { stdout, stderr } = captureStreams(program, options);
    program.stdin.end(options.stdin ?? "");
    const left = Math.max(timeout * 1000 - (performance.now() - begin), 0);
    let reason = await resolveWithin(program.ended, left, signal);
    if (reason === undefined) {
      await this.client.kill(program, KILL_SECONDS);
      program.destroy();
      reason = describeStop(options);
    }
    return { ...reason, stdout: stdout.text(), stderr: stderr.text() };
  }

  async files(): Promise<Files> {
    const reason = this.client.lostReason;
    if (reason !== undefined) throw new ConnectionError("LOST", { node: this.node.name, step: "open files" }, reason);
    return this.relayFiles;
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    await this.client.close(CLOSE_TIMEOUT_MS);
    await this.options.release?.();
  }
}

/** Exit code 127 is what a shell on a remote node reports for a program that cannot be started. */
function describeFailedStart({ code, detail }: ConnectionError, isLate: boolean, seconds: number): ExitReason {
  if (isLate) return { kind: "timeout", seconds };
  return code === "LOST" || code === "TIMEOUT" ? { kind: "lost", reason: detail } : { kind: "exit", code: 127 };
}

function textsOf(object: unknown): Record<string, string> {
  const entries = Object.entries(object ?? {}).filter(([, value]) => typeof value === "string");
  return Object.fromEntries(entries) as Record<string, string>;
}
