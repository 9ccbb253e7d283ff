import { tmpdir } from "node:os";
import t from "tap";
import { DiskReservation } from "../../../../executor/run/results/diskspace.js";

t.test("only large results are limited to a few at a time", async (t) => {
  const room = new DiskReservation(tmpdir());
  for (const [size, most] of [
    [2 << 20, 6],
    [300 << 10, 20],
    [10, 20],
  ] as const) {
    let [now, peak] = [0, 0];
    let begun = () => {};
    const enough = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const pull = async () => {
      peak = Math.max(peak, ++now);
      if (now === most) begun();
      await enough;
      await new Promise(setImmediate);
      now--;
      return size;
    };
    t.same(await Promise.all(Array.from({ length: 20 }, () => room.withReservation(size, pull))), Array(20).fill(size));
    t.equal(peak, most);
  }
});

t.test("a pull that fails releases its reservation", async (t) => {
  const room = new DiskReservation(tmpdir());
  for (let n = 0; n < 20; n++)
    await t.rejects(
      room.withReservation(2 << 20, () => Promise.reject(new Error("lost"))),
      { message: "lost" },
    );
  t.equal(await room.withReservation(2 << 20, async () => 1), 1);
});
