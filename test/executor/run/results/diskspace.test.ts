import { tmpdir } from "node:os";
import t from "tap";
import { DiskError, DiskReservation, explainDiskError } from "../../../../executor/run/results/diskspace.js";
import { MusterError } from "../../../../schemas/errors.js";

t.test("large results come a few at a time, small ones as they like", async (t) => {
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

t.test("a pull that fails gives its room back", async (t) => {
  const room = new DiskReservation(tmpdir());
  for (let n = 0; n < 20; n++)
    await t.rejects(
      room.withReservation(2 << 20, () => Promise.reject(new Error("lost"))),
      { message: "lost" },
    );
  t.equal(await room.withReservation(2 << 20, async () => 1), 1);
});

t.test("errors of the system on the run directory are for people; others stay what they are", async (t) => {
  const error = (code: string, path?: string) =>
    Object.assign(new Error(`${code}: what, write`), { code, path, syscall: "write" });
  t.match(explainDiskError("/run", error("ENOSPC")), {
    exitStatus: 3,
    message: "cannot write to the run directory /run: no space is left there",
  });
  t.match(explainDiskError("/run", error("EACCES", "/run/results/x")), {
    message: /\/run\/results\/x: permission denied/,
  });
  t.match(explainDiskError("/run", error("EXDEV")), { message: /EXDEV: what, write/ });
  const others = [error("ENOENT", "/elsewhere"), new TypeError("x is undefined"), new MusterError("HELD", 75, "held")];
  for (const other of others) t.equal(explainDiskError("/run", other), other);
  t.ok(explainDiskError("/run", error("EIO")) instanceof DiskError);
});
