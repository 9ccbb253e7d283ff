import t from "tap";
import { UploadWindow } from "../../fleet/transfer/uploadwindow.js";

/** Answers requests one after another, each after `service` milliseconds, over a link with this round-trip time. On a virtual clock. */
class SimulatedServer {
  readonly served: number[] = [];
  mostInFlight = 0;
  private readonly window = new UploadWindow(() => this.now);
  private now = 0;
  private freeAt = 0;
  private inFlight: { at: number; answer: () => void }[] = [];

  constructor(
    public service: number,
    private readonly roundTrip: number,
  ) {}

  /** Serves `count` requests that come at once. Returns the milliseconds. */
  async serve(count: number): Promise<number> {
    const sent = Promise.all(Array.from({ length: count }, (_, number) => this.send(number)));
    for (let next = this.inFlight.shift(); next !== undefined; next = this.inFlight.shift()) {
      this.now = next.at;
      next.answer();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await sent;
    return this.now;
  }

  private send(number: number): Promise<void> {
    return this.window.run(() => {
      this.freeAt = Math.max(this.freeAt, this.now + this.roundTrip / 2) + this.service;
      this.served.push(number);
      return new Promise((answer) => {
        this.inFlight.push({ at: this.freeAt + this.roundTrip / 2, answer });
        this.mostInFlight = Math.max(this.mostInFlight, this.inFlight.length);
      });
    });
  }
}

const CASES: [where: string, roundTrip: number, most: number][] = [
  ["on this machine", 0.1, 5],
  ["on the local network", 1, 5],
  ["far away", 50, 16],
  ["on another continent", 300, 16],
];
const SERVICE = 2;
const COUNT = 1000;
for (const [where, roundTrip, most] of CASES)
  t.test(`a node ${where} has at most ${most} requests in flight, and they fill the link`, async (t) => {
    const server = new SimulatedServer(SERVICE, roundTrip);
    const milliseconds = await server.serve(COUNT);
    t.ok(server.mostInFlight <= most && server.mostInFlight > most / 2, `${server.mostInFlight} in flight`);
    const least = COUNT * Math.max(SERVICE, (roundTrip + SERVICE) / 16);
    t.ok(milliseconds <= 1.02 * least + 10 * roundTrip, `${milliseconds} ms, ${least} at the least`);
    t.same(server.served, [...Array(COUNT).keys()], "in order");
  });

t.test("a node that becomes slow has fewer requests in flight", async (t) => {
  const server = new SimulatedServer(SERVICE, 50);
  await server.serve(COUNT);
  t.equal(server.mostInFlight, 16);
  server.service = 200;
  await server.serve(50);
  server.mostInFlight = 0;
  await server.serve(50);
  t.equal(server.mostInFlight, 2);
});

t.test("a request that fails makes room for the next one", async (t) => {
  const window = new UploadWindow();
  const fail = () => window.run(() => Promise.reject(new Error("no space")));
  const all = await Promise.allSettled([...Array.from({ length: 8 }, fail), window.run(async () => "sent")]);
  t.match(all.at(-1), { status: "fulfilled", value: "sent" });
});
