import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Files } from "../../../fleet/connection.js";
import { Gate } from "../../../fleet/gate.js";
import { MusterError } from "../../../schemas/errors.js";
import type { ChunkSpec, StagedFile } from "../../job/job.js";
import type { AgentCommand } from "../agent/protocol.js";
import type { Content } from "./hashes.js";

/** Files up to this size (bytes) go to the agent over its channel: a round trip to the file server each would cost more. */
const SMALL = 16 << 10;
/** Files on their way to one node at once. */
const TOGETHER = 16;
/** Bytes that stay free on a node after staging, for results. */
const RESERVE = 64 << 20;

/** Brings files to one node's run folder, each content once, however many chunks use it. */
export class Stage {
  private readonly staged = new Set<string>();
  private readonly underway = new Map<string, Promise<void>>();
  private readonly gate = new Gate(TOGETHER);

  /** `root`: the run's folder on the node; `contents`: by path here. */
  constructor(
    private readonly files: () => Promise<Files>,
    private readonly root: string,
    private readonly contents: Map<string, Content>,
    private readonly send: (message: AgentCommand) => void,
  ) {}

  /** Whether all that `work` needs is there, so that it can start without a round trip. */
  has(work: ChunkSpec): boolean {
    return filesOf(work).every((file) => this.staged.has(this.contents.get(file.source)!.sha256));
  }

  /** Brings what `work` needs; rejects with a ConnectionError or, where the node's disk is too full, NO_SPACE. */
  async bring(work: ChunkSpec): Promise<void> {
    await Promise.all(filesOf(work).map((file) => this.bringFile(file.source)));
  }

  private async bringFile(source: string): Promise<void> {
    const content = this.contents.get(source)!;
    if (this.staged.has(content.sha256)) return;
    if (content.size <= SMALL) return this.hand(source, content);
    let underway = this.underway.get(content.sha256);
    if (underway === undefined) {
      underway = this.gate.pass(() => this.upload(source, content)).finally(() => this.underway.delete(content.sha256));
      this.underway.set(content.sha256, underway);
    }
    return underway;
  }

  private hand(source: string, content: Content): void {
    const bytes = readFileSync(source);
    if (hash("sha256", bytes, "hex") !== content.sha256) throw changed(source);
    this.send({ op: "put", sha256: content.sha256, data: bytes.toString("base64") });
    this.staged.add(content.sha256);
  }

  private async upload(source: string, content: Content): Promise<void> {
    const remote = `${this.root}/store/${content.sha256}`;
    const files = await this.files();
    const there = await files.stat(remote);
    if (there?.kind !== "file" || there.size !== content.size) {
      await this.checkSpace(files, content.size);
      await files.upload(source, remote, content.mode);
    }
    this.staged.add(content.sha256);
  }

  private async checkSpace(files: Files, size: number): Promise<void> {
    if (size < 1 << 20) return;
    const free = await files.free(this.root);
    if (free === undefined || free >= size + RESERVE) return;
    throw new MusterError(
      "NO_SPACE",
      69,
      `only ${free} bytes are free in ${this.root}; staging needs ${size} and a reserve`,
      {
        next: "Make room there, or set another workdir for the node in the inventory.",
      },
    );
  }
}

function changed(source: string): MusterError {
  return new MusterError("CHANGED", 65, `${source} has changed since the run began`, {
    next: "Leave inputs alone while a run goes on; start anew with --fresh for the new content.",
  });
}

/** Everything that a chunk's working directory gets. */
export function filesOf(work: ChunkSpec): readonly StagedFile[] {
  return work.program.kind === "script" ? [work.program.script, ...work.inputs] : work.inputs;
}
