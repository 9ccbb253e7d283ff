/** Deaths of a program in a row without any progress, after which it is not started again. */
export const MAX_DEATHS = 5;
const FIRST_PAUSE_SECONDS = 1;
const MAX_PAUSE_SECONDS = 60;

/** Decides whether a program that died is started again, and when. */
export class AskRestarts {
  private deaths = 0;

  /**
   * Returns the pause in seconds before it is started again; undefined = it is not. `hasProgressed`: whether the life that ended brought the run
   * further.
   */
  recordDeath(hasProgressed: boolean): number | undefined {
    this.deaths = hasProgressed ? 1 : this.deaths + 1;
    if (this.deaths >= MAX_DEATHS) return undefined;
    return Math.min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (this.deaths - 1));
  }
}
