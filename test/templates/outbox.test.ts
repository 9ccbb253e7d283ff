import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../lab/project.js";

/** Plays a day of a ledger on a clock of its own; prints what the coordinator has been told and what the file holds, step by step. */
const DAY = `
import json, sys
sys.path.insert(0, sys.argv[1])
from muster_agent import ledger
from muster_agent.attempt import Attempt

class Link:
    told = []
    def send(self, message): self.told.append(message["ev"] + " " + message["id"])
    def relay(self, lines): self.told += [json.loads(line)["ev"] + " " + json.loads(line)["id"] for line in lines]

clock = [100.0]
ledger.now = lambda: clock[0]
book = ledger.Ledger(".", Link())

def tell(hurry, later=0.0):
    clock[0] += later
    book.commit(hurry)
    told, Link.told[:] = list(Link.told), []
    held = [json.loads(line) for line in open("done.ndjson")]
    print(json.dumps([told, [("start " + one["start"]) if "start" in one else "done " + one["id"] for one in held]]))

short, long, last = (Attempt(id, "chunk", 0, None, []) for id in ("short", "long", "last"))
book.started(short)
book.started(long)
tell(False)
book.keep(short, short.done())
tell(False)
tell(False, later=ledger.GATHER)
book.started(last)
book.keep(last, last.done())
tell(True)
`;

t.test("news is told together once it is due, or at once in a hurry; starts are on disk right away", (t) => {
  const cwd = mkdtempSync(join(tmpdir(), "muster-ledger-"));
  t.teardown(() => execFileSync("rm", ["-r", cwd]));
  const printed = execFileSync("python3", ["-BIS", "-c", DAY, join(projectRoot(), "templates")], {
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
