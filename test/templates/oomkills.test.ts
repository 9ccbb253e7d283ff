import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../lab/project.js";
import { waitUntil } from "../lab/waituntil.js";
import { attachAgent } from "./agentdriver.js";

t.setTimeout(600_000);

const skip = findObstacle();

/** A program that uses memory until the kernel kills it, or until it has used a gibibyte. */
const HOG = 'exec python3 -c "held = [bytearray(1 << 20) for _ in range(1024)]"';

/** Makes a memory cgroup with a limit of 64 MiB, and returns its folder. */
function makeCgroup(): string {
  const own = /^\d+:memory:(\/.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1];
  const version1 = own === undefined ? undefined : join("/sys/fs/cgroup/memory", own);
  const isVersion1 = version1 !== undefined && existsSync(version1);
  const folder = join(isVersion1 ? version1 : "/sys/fs/cgroup", `muster-test-${process.pid}`);
  mkdirSync(folder);
  try {
    writeFileSync(join(folder, isVersion1 ? "memory.limit_in_bytes" : "memory.max"), `${64 << 20}`);
  } catch (error) {
    rmdirSync(folder);
    throw error;
  }
  return folder;
}

/** Why no memory cgroup can be made here; false where one can. */
function findObstacle(): string | false {
  try {
    rmdirSync(makeCgroup());
    return false;
  } catch (error) {
    return `no memory cgroup can be made here: ${(error as Error).message}`;
  }
}

/** Whether the kernel log can be read, as the agent does. */
function canReadLog(): boolean {
  const script = `import os; fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK); os.lseek(fd, 0, os.SEEK_END)
try: os.read(fd, 8192)
except BlockingIOError: pass
assert os.readlink("/proc/self/ns/pid") == "pid:[4026531836]"`;
  try {
    execFileSync("python3", ["-c", script], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

t.test("a program that the kernel kills for its memory is distinguished from another SIGKILL", { skip }, async (t) => {
  const folder = makeCgroup();
  const { attachment } = await attachAgent(t);
  t.teardown(() =>
    waitUntil("the cgroup is empty", () => {
      try {
        rmdirSync(folder);
        return true;
      } catch {
        return false;
      }
    }),
  );
  const enter = `echo $$ > ${folder}/cgroup.procs;`;
  const hog = await attachment.run("hog", `${enter} ${HOG}`);
  t.match(hog, { signal: 9, exit: null, cancelled: false });
  if (canReadLog()) t.equal(hog.outOfMemory, "kernel log");
  else t.comment("skipped: the kernel log cannot be read here");
  const killed = await attachment.run("killed", "kill -9 $$");
  t.match(killed, { signal: 9 });
  t.equal(killed.outOfMemory, undefined, "a person may have sent it");
  attachment.start("late", { timeout: 0.3 }, ["trap '' TERM; while :; do sleep 0.1; done"]);
  t.equal((await attachment.waitForDone("late")).outOfMemory, undefined, "the agent has sent it");
});

t.test("the cgroup's counter, where the kernel log cannot be read", { skip }, async (t) => {
  const folder = makeCgroup();
  // The counter is that of the agent's cgroup, so the agent runs in it, too; it needs less than its program.
  const script = `
import os, sys
open(sys.argv[1] + "/cgroup.procs", "w").write(str(os.getpid()))
sys.path.insert(0, sys.argv[2])
from muster_agent.processes import oom_kills
class Attempt:
    pid, status, was_running, began, oom_kills, out_of_memory = 0, None, True, 0.0, None, None
    def has_succeeded(self): return False
kills = oom_kills.OomKills()
kills.log_fd = None
def run(argv):
    one = Attempt()
    kills.attempt_started(one)
    one.pid = os.posix_spawn("/bin/sh", ["sh", "-c", argv], os.environ)
    one.status = os.waitpid(one.pid, 0)[1]
    kills.attempt_ended(one)
    return one.out_of_memory
print(run(sys.argv[3]), run("kill -9 $$"), run(sys.argv[4]), run("exit 137"), run("exit 1"))
os.closerange(3, 64)
`;
  const hog = `echo 1000 > /proc/self/oom_score_adj; ${HOG}`;
  const inShell = `(${hog}); exit $?`;
  const templates = join(projectRoot(), "templates");
  const out = execFileSync("python3", ["-B", "-c", script, folder, templates, hog, inShell], {
    encoding: "utf8",
  });
  rmdirSync(folder);
  t.equal(out, "cgroup None cgroup None None\n");
});

t.test("lines of real kernel logs, and others", async (t) => {
  const records: [string, string][] = [
    // Linux 6.18, a limit of the cgroup.
    [
      "3,1024,30550539796,-;Memory cgroup out of memory: Killed process 4711 (python3) total-vm:1060000kB, anon-rss:64000kB, file-rss:6272kB, shmem-rss:0kB, UID:0 pgtables:196kB oom_score_adj:0\n",
      "(4711, 30550.539796)",
    ],
    // Linux 5.4, the whole machine.
    [
      "3,901,81230000,-;Out of memory: Killed process 2211 (train.py) total-vm:9000000kB, anon-rss:7800000kB, file-rss:0kB, shmem-rss:0kB, UID:1000 pgtables:16000kB oom_score_adj:0\n SUBSYSTEM=x\n",
      "(2211, 81.23)",
    ],
    // Linux 4.15.
    ["3,901,81230000,-;Out of memory: Kill process 2211 (train.py) score 912 or sacrifice child\n", "(2211, 81.23)"],
    // Written to /dev/kmsg by a program: facility user.
    ["12,905,81230000,-;Out of memory: Killed process 2211 (train.py) total-vm:1kB\n", "None"],
    ["6,906,81230000,-;oom_reaper: reaped process 2211 (train.py), now anon-rss:0kB\n", "None"],
    ["nonsense", "None"],
    ["3,x,y,-;Out of memory: Killed process 2211 (a)", "(2211, -1e-06)"],
  ];
  const script = `
import sys, json
sys.path.insert(0, sys.argv[1])
from muster_agent.processes import oom_kills
for record in json.loads(sys.argv[2]): print(oom_kills.parse_record(record.encode()))
print(oom_kills.parse_counter(b"low 0\\nhigh 0\\nmax 12\\noom 3\\noom_kill 2\\noom_group_kill 0\\n"))
print(oom_kills.parse_counter(b"oom_kill_disable 0\\nunder_oom 0\\noom_kill 5\\n"), oom_kills.parse_counter(b""))`;
  const templates = join(projectRoot(), "templates");
  const out = execFileSync(
    "python3",
    ["-B", "-c", script, templates, JSON.stringify(records.map(([record]) => record))],
    {
      encoding: "utf8",
    },
  );
  t.same(out.trim().split("\n"), [...records.map(([, expected]) => expected), "2", "5 None"]);
});
