import t from "tap";
import { chooseNodes } from "../../../../executor/run/follow/choosenodes.js";
import { FollowedChunks } from "../../../../executor/run/follow/followedchunks.js";
import type { LiveRun } from "../../../../executor/run/record/liverun.js";
import { createLiveRun } from "../../../report/liverunsample.js";

const leftovers = ["x", "y", "z"].map((node) => ({ node, inventory: "i" }));
const running = (chunk: string) => ({ chunk, attempt: 1, units: "1", since: "2026-01-01T00:00:00Z" });
const live: LiveRun = {
  ...createLiveRun(),
  omitted: undefined as never,
  slots: [
    { node: "x", slot: 0, running: running("0-10") },
    { node: "y", slot: 0, running: running("10-20") },
    { node: "z", slot: 0 },
  ],
};

t.test("the nodes to follow", async (t) => {
  const all = new FollowedChunks(undefined, true);
  const one = new FollowedChunks("0-50", true);
  const choose = (isActive: boolean, now: LiveRun | undefined, chunks: FollowedChunks) =>
    [...chooseNodes({ isActive, live: now, leftovers }, chunks)].join();
  t.equal(choose(true, live, all), "x,y", "those with running chunks");
  t.equal(choose(true, live, one), "x", "the chunk has given units away since");
  t.equal(choose(true, live, new FollowedChunks("30-40", true)), "", "it does not run");
  t.equal(choose(true, undefined, all), "", "the coordinator has written nothing yet");
  t.equal(choose(true, { ...live, omitted: { nodes: 0, slots: 1 } }, one), "x,y,z", "live.json leaves some out");
  t.equal(choose(false, undefined, one), "x,y,z", "no coordinator: all that may hold something");
});

t.test("chunks of a range are known by their first unit, others by their whole id", async (t) => {
  const range = new FollowedChunks("0-50", true);
  t.ok(range.includes("0-10") && range.includes("0-50") && !range.includes("10-50"));
  t.same(range.forNode(), { chunk: "0-", isPrefix: true });
  const tasks = new FollowedChunks("0-50", false);
  t.ok(tasks.includes("0-50") && !tasks.includes("0-10"));
  t.same(tasks.forNode(), { chunk: "0-50" });
  t.same(new FollowedChunks(undefined, true).forNode(), {});
});
