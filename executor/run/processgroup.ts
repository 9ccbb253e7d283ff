import { readdirSync, readFileSync } from "node:fs";

/** The variable by which the processes of a group are known when its leader has ended: all of them inherit it. */
const GROUP_VARIABLE = "MUSTER_GROUP";

/** A process group whose leader was started on this machine. */
export interface ProcessGroup {
  /** The process that leads it, whose id the group has. */
  readonly id: number;
  /** When the leader started, in clock ticks since boot. With the boot, that tells it from a later process with the same id. */
  readonly start: string;
  readonly boot: string;
  /** The value of a variable in the environment of its processes, which no other group has. */
  readonly token: string;
}

/** Returns what to add to the environment of a program whose group gets this token. */
export function groupEnvironment(token: string): Record<string, string> {
  return { [GROUP_VARIABLE]: token };
}

/** Describes the group of a process that was just started with the environment of `token`; undefined where that has ended already. */
export function describeGroup(leader: number, token: string): ProcessGroup | undefined {
  const start = readFields(`${leader}`)?.start;
  return start === undefined ? undefined : { id: leader, start, boot: readBootId(), token };
}

/**
 * Returns whether processes of a group are alive. The kernel does not reuse an id while a group has it, so that one process that is certainly of
 * the group, its leader or a process with its token, shows that the others are. Zombies do not count.
 */
export function isGroupAlive({ id, start, boot, token }: ProcessGroup): boolean {
  if (boot !== readBootId()) return false;
  const isCertain = readFields(`${id}`)?.start === start;
  return readdirSync("/proc").some((pid) => {
    const { group, state = "X" } = (/^\d+$/.test(pid) && readFields(pid)) || {};
    return group === id && !/^[ZX]$/.test(state) && (isCertain || hasToken(pid, token));
  });
}

/** Returns the process group of a process; undefined where there is no such process. */
export function readGroup(pid: string): number | undefined {
  return readFields(pid)?.group;
}

function hasToken(pid: string, token: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(`${GROUP_VARIABLE}=${token}`);
  } catch {
    return false; // It has ended, or it is no process of this user.
  }
}

/** The fields of /proc/PID/stat after the name, which may contain spaces, begin with the state. See proc(5). */
function readFields(pid: string): { state: string; group: number; start: string } | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)!.split(" ");
    const [state = "X", , group] = fields;
    return { state, group: Number(group), start: fields[19]! };
  } catch {
    return undefined;
  }
}

function readBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}
