import { pauseAfterFailures } from "./decidepilots.js";

/** So many failures in a row mean that no pilot will work. */
const MAX_FAILURES = 3;
/** Nodes that are left out at the most: then others of the cluster are likely to fail as well. */
const MAX_EXCLUDED_HOSTS = 20;

/** A pilot that could not work. */
export interface PilotFailure {
  /** Slurm's job id. */
  id: string | undefined;
  /** In monotonic seconds. */
  submittedAt: number;
  /** Where it ran; undefined = it is not known. */
  host: string | undefined;
  reason: string;
}

/** Failures in a row of the pilots of a cluster. */
export class PilotFailures {
  /** Where pilots could not work in this session. */
  private readonly badHosts = new Set<string>();
  private canExclude = true;
  /** The present series of failures: how many, where, and when the last one was counted. */
  private count = 0;
  private readonly hostsInARow = new Set<string>();
  private lastAt = Number.NEGATIVE_INFINITY;

  /** The compute nodes on which pilots could not work in this session, for requests that leave them out. */
  get excludedHosts(): string[] {
    return this.canExclude ? [...this.badHosts] : [];
  }

  /**
   * No node is left out any more: the cluster has refused such a request, perhaps because no other node is left. Returns false where none was
   * left out.
   */
  stopExcluding(): boolean {
    if (this.excludedHosts.length === 0) return false;
    this.canExclude = false;
    return true;
  }

  /** Whether no pilot will work, as far as can be told. */
  get areTooMany(): boolean {
    return this.count >= MAX_FAILURES;
  }

  /**
   * Counts a failure, unless it tells nothing new: pilots that were submitted together fail for the same reason on the same node. Returns what
   * to say of it, and for how long no pilot is submitted. `now`: in monotonic seconds.
   */
  add(failure: PilotFailure, now: number): { message: string; pauseSeconds: number } {
    const { id, host, reason } = failure;
    const isCounted = this.isNew(failure);
    if (isCounted) this.countFailure(host, now);
    const isExcluded = host !== undefined && this.excludedHosts.includes(host);
    const pauseSeconds = !isCounted || isExcluded ? 0 : pauseAfterFailures(this.count);
    const outlook = isExcluded ? "further ones go to other nodes" : `the next one comes in ${pauseSeconds} s`;
    const rest = isCounted && !this.areTooMany ? `; ${outlook} (failure ${this.count} of ${MAX_FAILURES})` : "";
    const where = host === undefined ? "" : ` on ${host}`;
    return { message: `pilot ${id} could not work${where}: ${reason}${rest}`, pauseSeconds };
  }

  /** Describes a series of failures of which the last one has this reason. */
  describeSeries(reason: string): string {
    const hosts = this.hostsInARow.size === 0 ? "" : ` (on ${[...this.hostsInARow].join(", ")})`;
    return `${MAX_FAILURES} pilots in a row could not work${hosts}: ${reason}`;
  }

  /** Ends the series: a pilot works. */
  reset(): void {
    this.count = 0;
    this.hostsInARow.clear();
    this.lastAt = Number.NEGATIVE_INFINITY;
  }

  private isNew({ host, submittedAt }: PilotFailure): boolean {
    const isOtherHost = host !== undefined && !this.hostsInARow.has(host);
    return isOtherHost || submittedAt >= this.lastAt;
  }

  private countFailure(host: string | undefined, now: number): void {
    this.count++;
    this.lastAt = now;
    if (host === undefined) return;
    this.hostsInARow.add(host);
    if (this.badHosts.size < MAX_EXCLUDED_HOSTS) this.badHosts.add(host);
  }
}
