import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { GroupLock } from "../../../executor/run/grouplock.js";
import {
  describeGroup,
  groupEnvironment,
  isGroupAlive,
  type ProcessGroup,
} from "../../../executor/run/processgroup.js";

/** Starts a shell command in a process group of its own, without descriptors, and describes the group. */
async function startGroup(t: Test, command: string, token: string, env = groupEnvironment(token)) {
  const child = spawn("sh", ["-c", command], { detached: true, stdio: "ignore", env: { ...process.env, ...env } });
  const group = describeGroup(child.pid!, token)!;
  t.teardown(() => {
    try {
      process.kill(-group.id, "SIGKILL");
    } catch {
      // It has ended.
    }
  });
  return { child, group };
}

t.test("a group is told from a later one with the same id", async (t) => {
  const { group } = await startGroup(t, "exec sleep 60", "mine");
  t.ok(isGroupAlive(group));
  t.notOk(isGroupAlive({ ...group, boot: "another boot" }));
  t.ok(isGroupAlive({ ...group, start: "1" }), "its process has the token");
  t.notOk(isGroupAlive({ ...group, start: "1", token: "another" }), "the id was reused");
});

t.test("a group whose leader has ended is known by its other processes", async (t) => {
  const { child, group } = await startGroup(t, "sleep 60 & exit 0", "mine");
  await once(child, "exit");
  t.ok(isGroupAlive(group));
  t.notOk(isGroupAlive({ ...group, token: "another" }));
});

t.test("taking a lock ends the recorded group, and no process that has its id by chance", async (t) => {
  const file = join(t.testdir(), "lock");
  const take = async ({ id, start, boot, token }: ProcessGroup) => {
    writeFileSync(file, `${id} ${start} ${boot} ${token}`);
    const lock = await GroupLock.take(file, new AbortController().signal);
    lock?.close();
  };
  const { child, group } = await startGroup(t, "sleep 60 & exit 0", "mine");
  await once(child, "exit");
  await take({ ...group, token: "another" });
  t.ok(isGroupAlive(group), "it is left alone");
  await take(group);
  t.notOk(isGroupAlive(group));
});

t.test("a lock records the group of a program, and that it has ended", async (t) => {
  const file = join(t.testdir(), "lock");
  const lock = (await GroupLock.take(file, new AbortController().signal))!;
  const child = spawn("sleep", ["60"], { detached: true, stdio: "ignore", env: lock.environment });
  lock.record(child.pid);
  t.match(readFileSync(file, "utf8"), new RegExp(`^${child.pid} \\d+ [0-9a-f-]{36} [0-9a-f-]{36}$`));
  child.kill("SIGKILL");
  await once(child, "exit");
  lock.record(undefined);
  t.equal(readFileSync(file, "utf8"), "");
  lock.close();
});
