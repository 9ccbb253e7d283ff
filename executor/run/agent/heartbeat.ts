/** Questions that may go unanswered. */
const MAX_UNANSWERED_PINGS = 3;

/**
 * Watches over an agent: asks for a sign of life when none has come for a while. A connection's keepalive is answered by the
 * node's kernel and sshd; an agent that hangs (a dead disk, most likely) is found only by asking it.
 * What is counted is questions and not seconds, so that it is not blamed for a pause on this side.
 */
export class Heartbeat {
  private unansweredPings = 0;
  private readonly timer: NodeJS.Timeout;

  /** `every`: seconds between two questions to an agent that says nothing by itself. `silent` is called once, with the reason. */
  constructor(every: number, ask: () => void, silent: (reason: string) => void) {
    this.timer = setInterval(() => {
      if (this.unansweredPings === MAX_UNANSWERED_PINGS) {
        this.stop();
        silent(`the agent has not answered for ${Math.round(every * MAX_UNANSWERED_PINGS)} s`);
      } else {
        this.unansweredPings++;
        ask();
      }
    }, every * 1000);
    this.timer.unref();
  }

  /** Something has come from the agent. */
  recordMessage(): void {
    this.unansweredPings = 0;
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
