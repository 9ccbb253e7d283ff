import { setTimeout as wait } from "node:timers/promises";
import { ConnectionError, type Where } from "../errors.js";
import { type Link, NoChannel } from "./link.js";

/** Connections to one node, at most: agent, files and a program each have one where a server allows a single channel. */
const MOST_LINKS = 3;

/** Waits in ms before a refused channel is asked for again: the server notices closed ones late. */
const BACKOFF = [20, 60, 150, 300];

/** Where channels to a node are opened: on its one connection, and on another only where the server allows too few on that. */
export class Channels {
  private readonly links: Link[];
  private growing: Promise<void> | undefined;

  constructor(
    private readonly first: Link,
    private readonly dialAgain: () => Promise<Link>,
  ) {
    this.links = [first];
  }

  /** Opens a channel with `open` on a connection that has room, waiting up to `seconds` for one. Rejects with a ConnectionError. */
  async place<T>(where: Where, seconds: number, open: (link: Link) => Promise<T>): Promise<T> {
    const deadline = performance.now() + seconds * 1000;
    for (;;) {
      if (this.first.gone) throw new ConnectionError("LOST", where, await this.first.closed);
      const link = this.links.find((link) => !link.gone && link.sessions < link.most);
      if (link !== undefined) {
        const opened = await tryOn(link, where, open);
        if (opened !== undefined) return opened.value;
      } else if (this.links.length < MOST_LINKS) await this.grow();
      else await this.room(deadline - performance.now());
      if (performance.now() > deadline) {
        throw new ConnectionError("SESSIONS", where, `the server allowed no further channel for ${seconds} s`);
      }
    }
  }

  close(): void {
    for (const link of this.links) link.close();
  }

  private grow(): Promise<void> {
    this.growing ??= this.dialAgain()
      .then((link) => {
        if (this.first.gone) return link.close();
        this.links.push(link);
        void link.closed.then(() => this.links.splice(this.links.indexOf(link), 1));
      })
      .finally(() => {
        this.growing = undefined;
      });
    return this.growing;
  }

  /** Resolves when a channel has closed, or after `ms`. */
  private async room(ms: number): Promise<void> {
    const links = [...this.links];
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        for (const link of links) link.freed.delete(done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(ms, 0));
      for (const link of links) link.freed.add(done);
    });
  }
}

/** The channel, or undefined where the link has no room; it then knows how many it allows. */
async function tryOn<T>(link: Link, where: Where, open: (link: Link) => Promise<T>): Promise<{ value: T } | undefined> {
  for (const ms of [...BACKOFF, undefined]) {
    try {
      return { value: await open(link) };
    } catch (error) {
      if (!(error instanceof NoChannel)) throw error;
      if (ms !== undefined) await wait(ms);
    }
  }
  if (!link.used) throw new ConnectionError("SESSIONS", where, "the server allows no channel at all");
  link.most = Math.min(link.most, Math.max(link.open, 1));
  return undefined;
}
