import t from "tap";
import { parseRangeId } from "../../../../executor/job/chunkids.js";
import { isAttemptId, SignedAttemptIds } from "../../../../executor/run/agent/signedids.js";

const [A, B, C] = ["a", "b", "c"].map((letter) => letter.repeat(16)) as [string, string, string];
const context = { job: { unitsOf: parseRangeId }, nonce: B, nonces: [A, B], key: Buffer.alloc(32, 1), spec: "s" };
const chunk = { id: "0-10", start: 0n, end: 10n };

t.test("an id is genuine only for the node and the chunk that it was issued for", async (t) => {
  const ids = new SignedAttemptIds(context);
  const id = ids.issue("n", chunk);
  t.ok(isAttemptId(id));
  t.ok(ids.isGenuine(id, "n", "0-10"));
  t.notOk(ids.isGenuine(id, "m", "0-10"), "another node");
  t.notOk(ids.isGenuine(id, "n", "0-11"), "other bounds");
  t.notOk(ids.isGenuine(id, "n", "nonsense"), "no chunk of the job");
  for (let at = 0; at < id.length; at++) {
    const altered = `${id.slice(0, at)}${id[at] === "0" ? "1" : "0"}${id.slice(at + 1)}`;
    t.notOk(ids.isGenuine(altered, "n", "0-10"), `character ${at} altered`);
  }
});

t.test("no id is issued twice, by one coordinator or by two of one run directory", async (t) => {
  const both = [new SignedAttemptIds(context), new SignedAttemptIds({ ...context, nonce: C, nonces: [A, C] })];
  const issued = Array.from({ length: 2000 }, (_, count) => both[count % 2]!.issue("n", chunk));
  t.equal(new Set(issued).size, issued.length);
});

t.test("ids of other coordinators, keys and jobs", async (t) => {
  const accepts = (other: Partial<typeof context>) =>
    new SignedAttemptIds(context).isGenuine(
      new SignedAttemptIds({ ...context, ...other }).issue("n", chunk),
      "n",
      "0-10",
    );
  t.ok(accepts({ nonce: A }), "an earlier coordinator of this journal");
  t.notOk(accepts({ nonce: C }), "a coordinator that only another copy knows");
  t.notOk(accepts({ key: Buffer.alloc(32, 2) }), "another key");
  t.notOk(accepts({ spec: "other" }), "another job or other inputs");
});
