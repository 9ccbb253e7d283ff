import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../lab/project.js";

/** Drives an outbox with a fake clock; prints after each step what was sent and what the journal holds. */
const SCENARIO = `
import json, sys
sys.path.insert(0, sys.argv[1])
from muster_agent.storage import outbox
from muster_agent.attempts.attempt import Attempt

class Server:
    sent = []
    def send(self, message): self.sent.append(message["ev"] + " " + message["id"])
    def send_lines(self, lines): self.sent += [json.loads(line)["ev"] + " " + json.loads(line)["id"] for line in lines]

clock = [100.0]
outbox.now = lambda: clock[0]
box = outbox.Outbox(".", Server())

def step(hurry, later=0.0):
    clock[0] += later
    box.commit(hurry)
    sent, Server.sent[:] = list(Server.sent), []
    held = [json.loads(line) for line in open("done.ndjson")]
    print(json.dumps([sent, [("start " + one["start"]) if "start" in one else "done " + one["id"] for one in held]]))

short, long, last = (Attempt(id, "chunk", 0, None, []) for id in ("short", "long", "last"))
box.add_start(short)
box.add_start(long)
step(False)
box.keep(short, short.result_message())
step(False)
step(False, later=outbox.BATCH_SECONDS)
box.add_start(last)
box.keep(last, last.result_message())
step(True)
`;

t.test("messages are sent in batches, or at once with `hurry`; starts are on disk at once", (t) => {
  const cwd = mkdtempSync(join(tmpdir(), "muster-ledger-"));
  t.teardown(() => execFileSync("rm", ["-r", cwd]));
  const printed = execFileSync("python3", ["-BIS", "-c", SCENARIO, join(projectRoot(), "templates")], {
    cwd,
    encoding: "utf8",
  });
  const starts = ["start short", "start long"];
  t.same(
    printed
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
    [
      [[], starts],
      [[], starts],
      [
        ["started long", "done short"],
        [...starts, "done short"],
      ],
      [["done last"], [...starts, "done short", "start last", "done last"]],
    ],
  );
  t.end();
});
