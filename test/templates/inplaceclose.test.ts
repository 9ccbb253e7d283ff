import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../../templates/programfolder.js";

/**
 * Closes an InPlace with one attempt that runs and has set two files aside. After the Nth move of a file a signal comes, whose handler
 * closes again and ends the process, as in the agent.
 */
const PROGRAM = `
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from muster_agent.in_place import in_place, placement, set_aside
root, directory, signal_at = sys.argv[2] + "/run", os.fsencode(sys.argv[2] + "/directory"), int(sys.argv[3])

class Running:
    pid, id = None, "1"  # it has begun a moment ago

class Locks:
    def release(self):
        pass

class Copy:
    path = os.fsencode(root + "/a/1/work")

place = in_place.InPlace(*[root] * 2, *[None] * (in_place.InPlace.__init__.__code__.co_argcount - 3))
running = object.__new__(placement.Placement)
running.directory, running.folder, running.shown_folder, running.plain = directory, root + "/a/1", root + "/a/1", [b"x", b"y"]
running.attempt, running.copy, running.locks, running.may_write, running.is_finished = Running(), Copy(), Locks(), True, False
place.placements["1"] = running
set_aside.set_aside(running.folder, directory, running.plain)
for path in running.plain:
    with open(os.path.join(directory, path), "w") as file:
        file.write("half")

def end(*_):
    place.close()
    os._exit(0)

signal.signal(signal.SIGTERM, end)
moves, move = [], set_aside.move

def move_and_interrupt(*words):
    move(*words)
    moves.append(words)
    if len(moves) == signal_at:
        os.kill(os.getpid(), signal.SIGTERM)

set_aside.move = move_and_interrupt
place.close()
`;

for (const signalAt of [0, 1, 2])
  t.test(`the user's files stay when a signal comes while the agent puts them back, after ${signalAt} of them`, (t) => {
    const folder = t.testdir({ directory: { x: "old x", y: "old y" } });
    mkdirSync(join(folder, "run/a/1/work"), { recursive: true });
    writeFileSync(join(folder, "run/a/1/out"), "");
    const words = ["-B", "-c", PROGRAM, join(projectRoot(), "templates"), folder, `${signalAt}`];
    const ran = spawnSync("/usr/bin/python3", words, { encoding: "utf8", timeout: 10_000, killSignal: "SIGKILL" });
    t.match(ran, { status: 0, signal: null, stderr: "" });
    const found = readdirSync(join(folder, "directory")).map((name) =>
      readFileSync(join(folder, "directory", name), "utf8"),
    );
    t.same(found.sort(), ["old x", "old y"]);
    t.end();
  });
