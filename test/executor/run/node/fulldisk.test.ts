import t from "tap";
import { createStorageError, describeFullDisk } from "../../../../executor/run/node/fulldisk.js";

t.test("a full disk is told with its figures and place", async (t) => {
  const disk = { path: "/w/runs/r", free: 0, total: 6 << 20 };
  t.equal(describeFullDisk(disk), "the disk is full: 0 B of 6.0 MiB are free in /w/runs/r");
  t.match(describeFullDisk({ ...disk, quota: true }), /^the disk quota is used up: /);
  t.match(describeFullDisk({ ...disk, inodes: 0 }), /no inodes left/);
});

t.test("only what says that there is no room is a lack of room", async (t) => {
  t.match(createStorageError("an input cannot be stored: No space left on device"), { code: "NO_SPACE" });
  t.match(createStorageError("an input cannot be stored: Permission denied"), { code: "FILE" });
});
