import t from "tap";
import { parseFollowMessage } from "../../../../executor/run/follow/followmessages.js";

const id = "0123456789abcdef-0-0123456789abcdef";
const end = { ev: "end", id, whole: true, exit: 0, signal: null, timeout: false, cancelled: false };

t.test("a node may send anything; only messages are taken", async (t) => {
  const parse = (value: unknown) => parseFollowMessage(JSON.stringify(value));
  t.same(parse({ ev: "following", ids: [id] }), { ev: "following", ids: [id] });
  t.same(parse({ ev: "begin", id, chunk: "a", slot: 1, more: 1 }), { ev: "begin", id, chunk: "a", slot: 1 });
  t.match(parse({ ev: "log", id, stream: "out", next: 3, data: "YWJj" }), { bytes: Buffer.from("abc") });
  t.match(parse({ ev: "dropped", id, stream: "err", bytes: null }), { bytes: null });
  t.match(parse(end), { whole: true, outcome: { exit: 0, timeout: false } });
  t.match(parse({ ev: "end", id, whole: false }), { whole: false, outcome: undefined });
  const wrong = [
    null,
    [],
    "begin",
    {},
    { ev: "following", ids: ["../x"] },
    { ev: "begin", id: "../../x", chunk: "a", slot: 1 },
    { ev: "begin", id, chunk: "../a", slot: 1 },
    { ev: "begin", id, chunk: "\u001b[2J", slot: 1 },
    { ev: "begin", id, chunk: "a", slot: -1 },
    { ev: "log", id, stream: "in", next: 3, data: "" },
    { ev: "log", id, stream: "out", next: 1.5, data: "" },
    { ev: "log", id, stream: "out", next: 3, data: 7 },
    { ev: "dropped", id, stream: "out", bytes: -1 },
    { ...end, exit: "0" },
    { ...end, whole: 1 },
    { ...end, fault: {} },
    { ev: "other", id },
  ];
  for (const one of wrong) t.equal(parse(one), undefined, JSON.stringify(one));
  t.equal(parseFollowMessage('{"ev":'), undefined);
});
