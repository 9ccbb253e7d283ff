import t from "tap";
import type { Member } from "../../executor/run/node/member.js";
import { PlainProgress } from "../../report/progressplain.js";

t.test("text from a node cannot move the cursor of the terminal", async (t) => {
  const said: string[] = [];
  const progress = new PlainProgress({ out: () => {}, err: (text) => said.push(text) });
  const node = { name: "rig" };
  progress.node({ node, state: "away", reason: "\u001b[2Jgone", error: { next: "Look." } } as Member);
  progress.problem({ node } as Member, "a\u0007b");
  t.same(said, ["rig: away: \\x1b[2Jgone\n    Look.", "rig: a\\x07b"]);
});
