import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../../templates/programfolder.js";

t.setTimeout(400_000);

/**
 * Sets two files aside, writes new ones, takes those and restores the old ones, in a process that is killed at its Nth call of the
 * file system; then puts everything back, in one that is killed at its Mth call, until nothing is left to do. After each of these
 * lives, each old file must be there in whole, and at the end in its place. Prints how often a process was killed.
 */
const PROGRAM = `
import os, shutil, signal, sys
sys.path.insert(0, sys.argv[1])
from muster_agent.in_place import set_aside as subject
top, run = sys.argv[2], sys.argv[3]
directory, attempt = os.path.join(top, "directory"), os.path.join(run, "a", "1")
paths = [b"results/x.json", b"deep/er/y.bin", b"fresh"]
old = {b"results/x.json": b"old" * 10, b"deep/er/y.bin": b"y" * (300 << 10)}

def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)

def count_calls(limit):
    left = [limit]
    def wrap(function):
        def call(*words, **options):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*words, **options)
        return call
    for name in ("rename", "unlink", "mkdir", "rmdir", "symlink", "fsync", "open", "write", "fchmod", "utime"):
        setattr(os, name, wrap(getattr(os, name)))

def life(limit, work):
    pid = os.fork()
    if pid == 0:
        count_calls(limit)
        try:
            work()
        except BaseException as error:
            sys.stderr.write(repr(error) + "\\n")
            os._exit(1)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    if status not in (0, signal.SIGKILL):
        raise SystemExit("exit status {} at call {}".format(status, limit))
    return status != 0

def attempt_life():
    subject.set_aside(attempt, os.fsencode(directory), paths)
    for path in paths:
        write(os.path.join(os.fsencode(directory), path), b"new")
    for path in paths:
        subject.take_output(os.fsencode(directory), path, os.fsencode(attempt) + b"/work")
    if subject.restore(attempt):
        os._exit(2)

def recovery():
    if subject.restore_all(run):
        os._exit(3)

def content(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None

def check(where):
    for number, path in enumerate(paths[:2]):
        places = [os.path.join(os.fsencode(directory), path), os.fsencode(attempt) + b"/aside/%d" % number]
        if old[path] not in [content(place) for place in places]:
            raise SystemExit("{} is lost {}".format(path, where))

def set_up():
    for folder in (directory, os.path.join(run, "a")):
        shutil.rmtree(folder, ignore_errors=True)
    for path in old:
        write(os.path.join(os.fsencode(directory), path), old[path])
    os.makedirs(attempt + "/work")

kills = first = 0
while True:
    # Every 19th moment, and other ones each time.
    second, is_first_killed = first % 19, False
    while True:
        set_up()
        is_first_killed = life(first, attempt_life)
        check("at call {}".format(first))
        is_second_killed = life(second, recovery)
        check("at call {} of the recovery after call {}".format(second, first))
        life(10**9, recovery)
        for path in old:
            if content(os.path.join(os.fsencode(directory), path)) != old[path]:
                raise SystemExit("{} is not back after calls {} and {}".format(path, first, second))
        if os.path.exists(attempt + "/aside.json"):
            raise SystemExit("the record is left")
        names = sorted(os.listdir(directory) + os.listdir(directory + "/results"))
        if set(names) - {"deep", "fresh", "results", "x.json"}:
            raise SystemExit("left there: {}".format(names))
        kills += is_first_killed + is_second_killed
        if not is_second_killed:
            break
        second += 19
    if not is_first_killed:
        break
    first += 1
print(kills)
`;

/** Folders on this file system, and on another one where there is one. */
const parents = [tmpdir(), "/dev/shm"].filter((path) => existsSync(path));

for (const [index, parent] of parents.entries())
  t.test(`a kill at any moment loses no file of the user: ${["one file system", "two file systems"][index]}`, (t) => {
    if (index > 0) t.not(statSync(parent).dev, statSync(tmpdir()).dev);
    const [top, run] = [mkdtempSync(join(parent, "aside-")), mkdtempSync(join(tmpdir(), "aside-"))];
    t.teardown(() => {
      for (const path of [top, run]) rmSync(path, { recursive: true });
    });
    const words = ["-B", "-c", PROGRAM, join(projectRoot(), "templates"), top, run];
    const kills = Number(execFileSync("/usr/bin/python3", words, { encoding: "utf8" }));
    t.ok(kills > 50, `${kills} kills`);
    t.end();
  });
