import { createHmac } from "node:crypto";
import type { Chunk, Job } from "../../job/job.js";
import type { HeldAttempt } from "./protocol.js";

/** NONCE-COUNT-MAC. Folders on nodes and files here are named after ids, so nothing else is accepted as one. */
const ATTEMPT_ID = /^([0-9a-f]{16})-[0-9a-z]{1,12}-[0-9a-f]{16}$/;
const MAC_DIGITS = 16;

/** What ids are made from, and checked against. */
export interface SigningContext {
  job: Pick<Job, "unitsOf">;
  /** Of the coordinator that is at work now. */
  nonce: string;
  /** Of every coordinator that the journal knows, this one included. */
  nonces: readonly string[];
  /** The secret of the run directory. */
  key: Buffer;
  /** SHA-256 over the job and the contents of its inputs: what a chunk is computed from. */
  spec: string;
}

/**
 * Attempt ids that cannot mean two things. An id carries the nonce of the coordinator that issued it, so that two copies of a
 * run directory never issue the same one, and a MAC over node, chunk, bounds and spec, so that nobody can claim an attempt
 * that was never issued, on another node, or for other units.
 */
export class SignedAttemptIds {
  private issued = 0;
  private readonly nonces: ReadonlySet<string>;

  constructor(private readonly context: SigningContext) {
    this.nonces = new Set(context.nonces);
  }

  /** Names a new attempt of `chunk` on `node`. */
  issue(node: string, chunk: Pick<Chunk, "id" | "start" | "end">): string {
    const prefix = `${this.context.nonce}-${(this.issued++).toString(36)}`;
    return `${prefix}-${this.computeMac(prefix, node, chunk.id, chunk.start, chunk.end)}`;
  }

  /** Whether a coordinator in this journal issued `id` to `node` for exactly the chunk called `chunk`. */
  isGenuine(id: string, node: string, chunk: string): boolean {
    const nonce = ATTEMPT_ID.exec(id)?.[1];
    const units = this.context.job.unitsOf(chunk);
    if (nonce === undefined || units === undefined || !this.nonces.has(nonce)) return false;
    const at = id.lastIndexOf("-");
    return id.slice(at + 1) === this.computeMac(id.slice(0, at), node, chunk, ...units);
  }

  /** Which of the attempts that an agent of `node` holds a coordinator in this journal issued, each once; and the others. */
  partition(held: readonly HeldAttempt[], node: string): { genuine: HeldAttempt[]; strangers: HeldAttempt[] } {
    const [genuine, strangers]: [HeldAttempt[], HeldAttempt[]] = [[], []];
    for (const one of new Map(held.map((attempt) => [attempt.id, attempt])).values())
      (this.isGenuine(one.id, node, one.chunk) ? genuine : strangers).push(one);
    return { genuine, strangers };
  }

  private computeMac(prefix: string, node: string, chunk: string, start: bigint, end: bigint): string {
    const text = JSON.stringify([prefix, node, chunk, `${start}`, `${end}`, this.context.spec]);
    return createHmac("sha256", this.context.key).update(text).digest("hex").slice(0, MAC_DIGITS);
  }
}

/** Whether a text has the form of an attempt id. */
export function isAttemptId(text: string): boolean {
  return ATTEMPT_ID.test(text);
}
