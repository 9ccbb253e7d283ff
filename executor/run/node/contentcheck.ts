import type { MusterError } from "../../../schemas/errors.js";
import type { AgentCommand, FoundMessage, TakenMessage, UnpackedMessage } from "../agent/protocol.js";
import type { FileContent } from "../record/filehashes.js";
import { createStorageError } from "./fulldisk.js";

interface PendingReply<T> {
  resolve: (reply: T) => void;
  reject: (error: Error) => void;
}

/** A content as the node knows it. */
type ContentId = Pick<FileContent, "sha256" | "sizeBytes">;

/**
 * What a node says of a content. `missing`: it must be sent, by this run. `awaited`: another run is sending it; `isStored` resolves with
 * false where that failed, so that this run must send it.
 */
export type Finding = { kind: "there" | "missing" } | { kind: "awaited"; isStored: Promise<boolean> };

/** A content that the next question asks for. */
interface WantedContent extends PendingReply<Finding> {
  readonly content: ContentId;
}

/** Of one question: lines of an agent channel should be short, so that pings do not wait for long. */
const MAX_FILES_PER_QUESTION = 1000;

/** Asks an agent which contents its node has, in the cache of the node or in the folder of the run. */
export class ContentCheck {
  private readonly pendingTakes = new Map<string, PendingReply<TakenMessage>>();
  private readonly pendingUnpacks = new Map<string, PendingReply<UnpackedMessage>>();
  private readonly pendingFinds = new Map<number, readonly WantedContent[]>();
  private wanted: WantedContent[] = [];
  private questions = 0;

  constructor(private readonly send: (message: AgentCommand) => void) {}

  /**
   * Resolves with whether the node has the content; otherwise it must be sent. Waits where another run is sending the content to the
   * node. Rejects as `isStored` does.
   */
  async find(content: ContentId): Promise<boolean> {
    const finding = await this.look(content);
    return finding.kind === "awaited" ? finding.isStored : finding.kind === "there";
  }

  /**
   * Resolves with what the node says of a content. What is wanted in one turn of the event loop is one question. Rejects as `isStored`
   * does. Where it is missing, no other run sends it until it is stored or released.
   */
  look(content: ContentId): Promise<Finding> {
    return new Promise((resolve, reject) => {
      this.wanted.push({ content, resolve, reject });
      if (this.wanted.length === 1) setImmediate(() => this.sendQuestions());
    });
  }

  /**
   * Resolves with whether the content is stored; what was uploaded for it and is something else is removed. One question for a content
   * at a time. Rejects with NO_SPACE where the node cannot store it, and with the error of `close`.
   */
  async isStored(content: FileContent): Promise<boolean> {
    const reply = this.waitForTaken(content.sha256);
    this.send({ op: "take", sha256: content.sha256, size: content.sizeBytes });
    return reply;
  }

  /**
   * Resolves with whether all contents of an uploaded pack are stored; the pack is removed. `sha256`: of the pack. Rejects as `isStored`
   * does.
   */
  async isUnpacked(
    sha256: string,
    files: readonly [sha256: string, sizeBytes: number][],
    deflated: boolean,
  ): Promise<boolean> {
    const reply = new Promise<UnpackedMessage>((resolve, reject) => {
      this.pendingUnpacks.set(sha256, { resolve, reject });
    });
    this.send({ op: "unpack", sha256, files: [...files], deflated });
    const { stored, error } = await reply;
    if (error === undefined) return stored;
    throw createStorageError(error);
  }

  /** Tells the agent that a content is not sent after all, so that it may come from another run. */
  release(sha256: string): void {
    this.send({ op: "release", sha256 });
  }

  /** Takes the agent's reply. Returns false where it answers no question of this coordinator. */
  handleReply(reply: TakenMessage | FoundMessage | UnpackedMessage): boolean {
    if (reply.ev === "found") return this.handleFound(reply);
    if (reply.ev === "unpacked") {
      const pending = this.pendingUnpacks.get(reply.sha256);
      this.pendingUnpacks.delete(reply.sha256);
      pending?.resolve(reply);
      return pending !== undefined;
    }
    const question = this.pendingTakes.get(reply.sha256);
    this.pendingTakes.delete(reply.sha256);
    question?.resolve(reply);
    return question !== undefined;
  }

  /** Ends all questions: no reply will come. */
  close(error: MusterError): void {
    const wanted = [...this.wanted, ...[...this.pendingFinds.values()].flat()];
    for (const { reject } of [...wanted, ...this.pendingTakes.values(), ...this.pendingUnpacks.values()]) reject(error);
    this.wanted = [];
    this.pendingFinds.clear();
    this.pendingTakes.clear();
    this.pendingUnpacks.clear();
  }

  private sendQuestions(): void {
    const { wanted } = this;
    this.wanted = [];
    for (let at = 0; at < wanted.length; at += MAX_FILES_PER_QUESTION) {
      const page = wanted.slice(at, at + MAX_FILES_PER_QUESTION);
      const id = this.questions++;
      this.pendingFinds.set(id, page);
      this.send({ op: "find", id, files: page.map(({ content }) => [content.sha256, content.sizeBytes]) });
    }
  }

  private handleFound({ id, missing, awaited = "", error }: FoundMessage): boolean {
    const page = this.pendingFinds.get(id);
    if (page === undefined) return false;
    this.pendingFinds.delete(id);
    const [missingBits, awaitedBits] = [missing, awaited].map((bits) => Buffer.from(bits, "base64"));
    for (const [index, { content, resolve, reject }] of page.entries()) {
      if (error !== undefined) reject(createStorageError(error));
      else if (hasBit(awaitedBits!, index)) resolve(this.awaitOtherRun(content.sha256));
      else resolve({ kind: hasBit(missingBits!, index) ? "missing" : "there" });
    }
    return true;
  }

  private awaitOtherRun(sha256: string): Finding {
    const isStored = this.waitForTaken(sha256);
    isStored.catch(() => {}); // who looks at it may still be sending other contents
    return { kind: "awaited", isStored };
  }

  private async waitForTaken(sha256: string): Promise<boolean> {
    const reply = await new Promise<TakenMessage>((resolve, reject) => {
      this.pendingTakes.set(sha256, { resolve, reject });
    });
    if (reply.error === undefined) return reply.stored;
    throw createStorageError(reply.error);
  }
}

/** Whether a bit is set; the highest bit of a byte comes first. */
export function hasBit(bits: Buffer, index: number): boolean {
  return ((bits[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0;
}
