const MAX_UNANSWERED_PINGS = 3;

/**
 * Finds an agent that hangs, most likely on a dead disk. The keepalive of the connection does not: the node's kernel and sshd
 * answer it. It counts unanswered pings and not seconds, so that a pause of the coordinator does not count against the agent.
 */
export class Heartbeat {
  private unansweredPings = 0;
  private readonly timer: NodeJS.Timeout;

  /** Calls `ping` each `intervalSeconds` in which no message came, and `onSilence` once, with the reason, when too many had no answer. */
  constructor(intervalSeconds: number, ping: () => void, onSilence: (reason: string) => void) {
    this.timer = setInterval(() => {
      if (this.unansweredPings === MAX_UNANSWERED_PINGS) {
        this.stop();
        onSilence(`the agent has not answered for ${Math.round(intervalSeconds * MAX_UNANSWERED_PINGS)} s`);
      } else {
        this.unansweredPings++;
        ping();
      }
    }, intervalSeconds * 1000);
    this.timer.unref();
  }

  /** A message came from the agent. */
  recordMessage(): void {
    this.unansweredPings = 0;
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
