/**
 * The chunks of a run that were preempted by runs of higher priority. One whose attempt had saved nothing new by then is not preempted again
 * before it has, so that it gets further each time.
 */
export class PreemptedChunks {
  private readonly unsaved = new Set<string>();

  /** Notes that an attempt of a chunk was preempted. `hasSaved`: whether it brought the chunk's state further. */
  record(chunk: string, hasSaved: boolean): void {
    if (hasSaved) this.unsaved.delete(chunk);
    else this.unsaved.add(chunk);
  }

  /** Whether the next attempt of a chunk must save a state before it is preempted. */
  mustSaveFirst(chunk: string): boolean {
    return this.unsaved.has(chunk);
  }
}
