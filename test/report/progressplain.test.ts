import t from "tap";
import type { NodeWorker } from "../../executor/run/node/nodeworker.js";
import { PlainProgress } from "../../report/progressplain.js";

t.test("text from a node cannot move the cursor of the terminal", async (t) => {
  const said: string[] = [];
  const progress = new PlainProgress({ out: () => {}, err: (text) => said.push(text) });
  const node = { name: "rig" };
  progress.nodeChanged({
    node,
    state: "away",
    slots: [],
    reason: "\u001b[2Jgone",
    error: { next: "Look." },
  } as unknown as NodeWorker);
  progress.nodeWarning({ node } as NodeWorker, "a\u0007b");
  t.same(said, ["rig: away: \\x1b[2Jgone\n    Look.", "rig: a\\x07b"]);
});
