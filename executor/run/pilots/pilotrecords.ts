import type { Journal } from "../record/journal.js";
import type { Pilot } from "./pilot.js";

type PilotName = Pick<Pilot, "token"> & { id?: string | undefined };

/** Records in the journal what becomes of pilots: before each submission, so that none is lost. */
export class PilotRecords {
  constructor(
    private readonly journal: Journal,
    /** The value of `-i` that finds the clusters. */
    private readonly inventory: string,
  ) {}

  /** Records that pilots are about to be submitted; resolves when that is on disk. */
  async recordSubmissions(cluster: string, pilots: readonly Pilot[]): Promise<void> {
    for (const pilot of pilots) this.add(cluster, pilot, "submitting");
    await this.journal.flush();
  }

  /** Records the id of a pilot. */
  async recordId(cluster: string, pilot: Pilot): Promise<void> {
    this.add(cluster, pilot, "submitted");
    await this.journal.flush();
  }

  /** Records that a pilot was first seen running. */
  async recordStart(cluster: string, pilot: Pilot): Promise<void> {
    this.add(cluster, pilot, "running");
    await this.journal.flush();
  }

  /** Records that a pilot is over. If this is lost, the cluster tells it again. */
  recordEnd(cluster: string, pilot: PilotName, reason: string | undefined): void {
    this.add(cluster, pilot, "over", reason);
    void this.journal.flush().catch(() => {}); // a disk that fails makes the next commit fail, too
  }

  private add(
    cluster: string,
    { token, id }: PilotName,
    state: "submitting" | "submitted" | "running" | "over",
    reason?: string,
  ): void {
    const at = new Date().toISOString();
    this.journal.add({ e: "pilot", at, cluster, inventory: this.inventory, token, id, state, reason });
  }
}
