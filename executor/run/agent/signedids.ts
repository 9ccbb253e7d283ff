import { createHmac } from "node:crypto";
import type { Chunk, Job } from "../../job/job.js";
import { ATTEMPT_ID, type HeldAttempt } from "./protocol.js";

const MAC_DIGITS = 16;

/** What ids are made from, and checked against. */
export interface SigningContext {
  readonly job: Pick<Job, "unitsOf">;
  /** Of this coordinator. */
  readonly nonce: string;
  /** Of every coordinator that the journal knows, this one included. */
  readonly nonces: readonly string[];
  /** The secret of the run directory. */
  readonly key: Buffer;
  /** SHA-256 of the job and the contents of its inputs: what a chunk is computed from. */
  readonly spec: string;
}

/**
 * Attempt ids that are unique, and that nobody else can make: NONCE-COUNT-MAC. The nonce is that of the coordinator that issued
 * the id, so that two copies of a run directory never issue the same one. The MAC (HMAC-SHA256) is over node, chunk, bounds and
 * spec, so that a node cannot claim an attempt that was never issued, or that was issued to another node or for other units.
 */
export class SignedAttemptIds {
  private issued = 0;
  private readonly nonces: ReadonlySet<string>;

  constructor(private readonly context: SigningContext) {
    this.nonces = new Set(context.nonces);
  }

  /** The id of a new attempt of `chunk` on `node`. */
  issue(node: string, chunk: Pick<Chunk, "id" | "start" | "end">): string {
    const prefix = `${this.context.nonce}-${(this.issued++).toString(36)}`;
    return `${prefix}-${this.computeMac(prefix, node, chunk.id, chunk.start, chunk.end)}`;
  }

  /** Whether a coordinator in this journal issued `id` to `node` for exactly the chunk with the id `chunk`. */
  isGenuine(id: string, node: string, chunk: string): boolean {
    if (!isAttemptId(id)) return false;
    const units = this.context.job.unitsOf(chunk);
    const end = id.lastIndexOf("-");
    if (units === undefined || !this.nonces.has(id.slice(0, id.indexOf("-")))) return false;
    return id.slice(end + 1) === this.computeMac(id.slice(0, end), node, chunk, ...units);
  }

  /** Divides the attempts that an agent on `node` holds: those that a coordinator in this journal issued, each once; and others. */
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

/** Whether a text has the form of an attempt id. Folders and files are named after ids, so nothing else is accepted as one. */
export function isAttemptId(text: string): boolean {
  return ATTEMPT_ID.test(text);
}
