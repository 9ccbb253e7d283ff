import t from "tap";
import { ChunkOutput } from "../../../../executor/run/follow/chunkoutput.js";

const first = { id: "1", chunk: "a", node: "x", slot: 0 };
const second = { id: "2", chunk: "a", node: "y", slot: 1 };
const outcome = { exit: 0, signal: null, timeout: false, cancelled: false };

t.test("one attempt is shown at a time, and a result ends it", async (t) => {
  const output = new ChunkOutput();
  t.equal(output.begin(first), "new");
  t.equal(output.begin(first), "known", "the node was lost and is back");
  t.equal(output.begin(second), "copy");
  t.ok(output.isShown("1") && !output.isShown("2"));
  output.end({ ...outcome, exit: 1 }, true);
  t.notOk(output.isComplete || output.isOpen || output.isShown("1"));
  t.equal(output.begin(second), "new");
  output.end(outcome, true);
  t.ok(output.isComplete);
});

t.test("an end is no success where something failed, or was not seen", async (t) => {
  const keys = [{ exit: 1 }, { signal: 9, exit: null }, { timeout: true }, { cancelled: true }, { fault: "no output" }];
  for (const key of keys) {
    const output = new ChunkOutput();
    output.begin(first);
    output.end({ ...outcome, ...key }, true);
    t.notOk(output.isComplete, JSON.stringify(key));
    t.equal(output.continuation("out"), 0);
  }
  const unseen = new ChunkOutput();
  unseen.begin(first);
  unseen.end(outcome, false);
  t.notOk(unseen.isComplete);
});

t.test(
  "a failure that the journal has is known once, whether it comes before or after the attempt's end",
  async (t) => {
    const output = new ChunkOutput();
    t.notOk(output.noteFailure(first), "never shown");
    output.begin(first);
    output.end({ ...outcome, exit: 1 }, true);
    t.ok(output.noteFailure(first));
    t.notOk(output.noteFailure(first), "this is another one");
    output.begin({ ...first, id: "3" });
    t.notOk(output.noteFailure(second));
    t.ok(output.noteFailure(first), "its end is still to come");
    output.end({ ...outcome, exit: 1 }, true);
    t.notOk(output.noteFailure(first));
  },
);

t.test("a collected log continues after the lines that were shown, as they are kept", async (t) => {
  const output = new ChunkOutput();
  output.begin(first);
  output.add("out", Buffer.from("10 %\r50 %\r"));
  output.add("out", Buffer.from("done\nnext"));
  t.equal(output.continuation("out"), "done\n".length);
  t.equal(output.continuation("err"), 0);
});
