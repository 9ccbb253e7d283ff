import type { Files } from "../../../fleet/connection.js";
import { Semaphore } from "../../../fleet/semaphore.js";
import { formatBytes } from "../../../schemas/bytecount.js";
import { MusterError } from "../../../schemas/errors.js";
import type { StagedFile } from "../../job/job.js";
import type { AgentCommand } from "../agent/protocol.js";
import { type FileContent, hashFile } from "../record/filehashes.js";
import type { ContentCheck } from "./contentcheck.js";
import { PACK_BYTES, sendPack } from "./contentpacker.js";
import { NODE_SPACE_ADVICE } from "./fulldisk.js";
import { createInputChangedError, explainMissing } from "./inputchanges.js";
import type { PackedFile, SharedPacks } from "./sharedpacks.js";

/** Files up to this size travel together, in packs. */
const MAX_PACKED_FILE_BYTES = 1 << 20;
/** How many packs are made and sent to one node at the same time: while the node takes one apart, the next is on its way. */
const MAX_CONCURRENT_PACKS = 2;
/** How often a file is sent at most, if other bytes arrive than were hashed. */
const MAX_SENDS = 3;
/** How many files are uploaded to one node at the same time. */
const MAX_CONCURRENT_UPLOADS = 8;
/** Space that staging leaves free on a node, for results. */
const RESERVED_NODE_BYTES = 64 << 20;

/** A small file that is to be sent; one of the functions is called when that is done. */
interface WaitingFile extends PackedFile {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Brings staged files to one node: those that the node does not have, each content once, however many chunks use it. */
export class FileStager {
  private readonly stagedHashes = new Set<string>();
  private readonly transfers = new Map<string, Promise<void>>();
  private readonly gate = new Semaphore(MAX_CONCURRENT_UPLOADS);
  private readonly packGate = new Semaphore(MAX_CONCURRENT_PACKS);
  private unpacked: WaitingFile[] = [];

  /** `root`: the run's folder on the node; `contents`: content of every staged file, by its path on this machine; `packs`: of the run. */
  constructor(
    private readonly files: () => Promise<Files>,
    private readonly root: string,
    private readonly contents: Map<string, FileContent>,
    private readonly send: (message: AgentCommand) => void,
    private readonly check: ContentCheck,
    private readonly packs: SharedPacks,
  ) {}

  /** Whether all of these files are on the node, so that a chunk can start without a round trip. */
  isStaged(files: readonly StagedFile[]): boolean {
    return files.every((file) => this.stagedHashes.has(this.contents.get(file.source)!.sha256));
  }

  /** Copies the files. Rejects with NO_SPACE where the node's disk is too full, CHANGED, CORRUPT, LOST or TIMEOUT. */
  async stage(files: readonly StagedFile[]): Promise<void> {
    await Promise.all(files.map((file) => this.stageFile(file.source)));
  }

  /** Records that the node does not have a file any more. */
  forget(sha256: string): void {
    this.stagedHashes.delete(sha256);
  }

  private stageFile(source: string): Promise<void> {
    const { sha256 } = this.contents.get(source)!;
    if (this.stagedHashes.has(sha256)) return Promise.resolve();
    let transfer = this.transfers.get(sha256);
    if (transfer === undefined) {
      transfer = this.transfer(source).finally(() => this.transfers.delete(sha256));
      this.transfers.set(sha256, transfer);
    }
    return transfer;
  }

  /** Sends a file, unless the node has its content. */
  private async transfer(source: string): Promise<void> {
    const content = this.contents.get(source)!;
    if (!(await this.check.find(content))) {
      try {
        if (content.sizeBytes <= MAX_PACKED_FILE_BYTES) await this.sendPacked(source, content);
        else await this.gate.run(() => this.sendUntilStored(source, content));
      } catch (error) {
        this.check.release(content.sha256);
        throw error;
      }
    }
    this.stagedHashes.add(content.sha256);
  }

  /** Sends a small file in a pack with those that are missing in the same turn of the event loop. */
  private sendPacked(source: string, content: FileContent): Promise<void> {
    return new Promise((resolve, reject) => {
      this.unpacked.push({ source, content, resolve, reject });
      if (this.unpacked.length === 1) setImmediate(() => this.sendPacks());
    });
  }

  private sendPacks(): void {
    const files = this.unpacked;
    this.unpacked = [];
    for (let at = 0; at < files.length; ) {
      const begin = at;
      for (let size = 0; at < files.length && size < PACK_BYTES; at++) size += files[at]!.content.sizeBytes;
      const pack = files.slice(begin, at);
      void this.packGate.run(() => this.sendOnePack(pack));
    }
  }

  /** Settles each of the files. Those that cannot be read, or have changed, do not stop the others. */
  private async sendOnePack(files: readonly WaitingFile[]): Promise<void> {
    const { files: server, root, send, check } = this;
    let failures: ReadonlyMap<string, Error> = new Map();
    try {
      await this.packs.use(files, async (made) => {
        failures = made.failures;
        if (made.pack !== undefined) await sendPack(made.pack, { files: server, root, send, check });
      });
      for (const { source, resolve, reject } of files) {
        const failure = failures.get(source);
        if (failure === undefined) resolve();
        else reject(failure);
      }
    } catch (error) {
      for (const { source, reject } of files) reject(failures.get(source) ?? (error as Error));
    }
  }

  /** Uploads a file until what arrives is what was hashed. */
  private async sendUntilStored(source: string, content: FileContent): Promise<void> {
    const files = await this.files();
    await this.checkSpace(files, content.sizeBytes);
    for (let sent = 0; sent < MAX_SENDS; sent++) {
      await explainMissing(source, () =>
        files.upload(source, `${this.root}/store/${content.sha256}.sent`, content.mode),
      );
      if (await this.check.isStored(content)) return;
      if ((await hashFile(source)).sha256 !== content.sha256) throw createInputChangedError(source);
    }
    throw new MusterError("CORRUPT", `${source} was sent ${MAX_SENDS} times, and other bytes arrived each time`, {
      next: "Check the memory and the disk of the node, and the network.",
    });
  }

  private async checkSpace(files: Files, size: number): Promise<void> {
    if (size < 1 << 20) return;
    const free = await files.free(this.root);
    if (free === undefined || free >= size + RESERVED_NODE_BYTES) return;
    throw new MusterError(
      "NO_SPACE",
      `only ${formatBytes(free)} are free in ${this.root}; staging needs ${formatBytes(size)} and a reserve`,
      { next: NODE_SPACE_ADVICE },
    );
  }
}
