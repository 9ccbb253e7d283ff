import { MusterError } from "../../../schemas/errors.js";
import type { AgentChannel } from "../agent/agentchannel.js";
import type { TreeMessage } from "../agent/protocol.js";
import type { ProjectSnapshot } from "../record/snapshot.js";
import { type ContentCheck, hasBit } from "./contentcheck.js";
import { PACK_BYTES, type PackedContent, type PackRoute, packContents, sendPack } from "./contentpacker.js";
import { sendContent } from "./contentsender.js";
import { createStorageError } from "./fulldisk.js";

/** How long an agent may take to look for the files of a project. */
const REPLY_TIMEOUT_SECONDS = 60;

/** Brings a project to one node: asks which files are missing there, and sends these. */
export class TreeStager {
  isStaged = false;
  private staging: Promise<void> | undefined;
  private waiting: { resolve: (reply: TreeMessage) => void; reject: (error: Error) => void } | undefined;

  constructor(
    private readonly snapshot: ProjectSnapshot,
    private readonly agent: AgentChannel,
    private readonly route: PackRoute & { readonly check: Pick<ContentCheck, "look" | "release"> },
  ) {}

  /** Resolves when the node has every file. Rejects with NO_SPACE where it cannot store them, with LOST or TIMEOUT. */
  stage(): Promise<void> {
    this.staging ??= this.sendMissing().finally(() => {
      this.staging = undefined;
    });
    return this.staging;
  }

  /** Takes the agent's reply. Returns false where nothing was asked. */
  handleReply(reply: TreeMessage): boolean {
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.resolve(reply);
    return waiting !== undefined;
  }

  /** Ends a staging that is under way: no reply will come. */
  close(error: MusterError): void {
    this.waiting?.reject(error);
    this.waiting = undefined;
  }

  private async sendMissing(): Promise<void> {
    const { id, manifest } = this.snapshot;
    let reply = await this.ask();
    if (reply.missing === undefined && reply.error === undefined) {
      await sendContent(this.agent, id, manifest);
      reply = await this.ask();
    }
    if (reply.missing === undefined) throw createStorageError(reply.error ?? "the node cannot store the project");
    await this.sendUnlessAwaited(this.selectMissing(Buffer.from(reply.missing, "base64")));
    this.isStaged = true;
  }

  /**
   * Sends the files that no other run is sending to the node, and waits for the others. Those come second: the other run may wait for
   * the files that this one sends.
   */
  private async sendUnlessAwaited(missing: ReadonlyMap<string, number>): Promise<void> {
    const { check } = this.route;
    const look = async ([sha256, sizeBytes]: [string, number]) =>
      [sha256, await check.look({ sha256, sizeBytes })] as const;
    const findings = await Promise.all([...missing].map(look));
    await this.sendContents(findings.flatMap(([sha256, { kind }]) => (kind === "missing" ? [sha256] : [])));
    const failed: string[] = [];
    for (const [sha256, finding] of findings)
      if (finding.kind === "awaited" && !(await finding.isStored)) failed.push(sha256);
    await this.sendContents(failed);
  }

  /** Sends these files in packs, read one after another. Where that fails, another run may send them. */
  private async sendContents(contents: readonly string[]): Promise<void> {
    if (contents.length === 0) return;
    try {
      await this.sendPacks(new Set(contents));
    } catch (error) {
      for (const sha256 of contents) this.route.check.release(sha256);
      throw error;
    }
  }

  private async sendPacks(contents: ReadonlySet<string>): Promise<void> {
    let [pack, packBytes]: [PackedContent[], number] = [[], 0];
    await this.snapshot.readContents(contents, async (sha256, bytes) => {
      pack.push({ sha256, bytes });
      packBytes += bytes.length;
      if (packBytes < PACK_BYTES) return;
      await sendPack(await packContents(pack), this.route);
      [pack, packBytes] = [[], 0];
    });
    await sendPack(await packContents(pack), this.route);
  }

  private ask(): Promise<TreeMessage> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.close(createTimeoutError()), REPLY_TIMEOUT_SECONDS * 1000);
      this.waiting = {
        resolve: (reply) => {
          clearTimeout(timer);
          resolve(reply);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.agent.send({ op: "tree", sha256: this.snapshot.id });
    });
  }

  /** Returns the contents whose bits are set, one bit for each row of the manifest, with their sizes in bytes. */
  private selectMissing(bits: Buffer): Map<string, number> {
    const missing = new Map<string, number>();
    for (let index = 0; index < this.snapshot.rows.length; index++) {
      const content = hasBit(bits, index) ? this.snapshot.contentOf(index) : undefined;
      if (content !== undefined) missing.set(content.sha256, content.sizeBytes);
    }
    return missing;
  }
}

function createTimeoutError(): MusterError {
  return new MusterError(
    "TIMEOUT",
    `the agent did not say within ${REPLY_TIMEOUT_SECONDS} s which files of the project it has`,
  );
}
