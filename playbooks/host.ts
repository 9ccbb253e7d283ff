import { diffAccess } from "./engine/diffaccess.js";
import type { AccessState, CommandState, Difference, Playbook, Probe, Resource } from "./engine/resource.js";

/** A clock that is off by more than this, seconds, makes times in logs and records useless. */
const MAX_CLOCK_OFFSET_SECONDS = 60;
/** Bytes that results and staged files want at least. */
const MIN_FREE_BYTES = 1 << 30;
const HOST_PROBE_TIMEOUT_SECONDS = 10;

/** Facts about the workdir's file system and the clock, one `name=value` a line; nothing is made or changed. */
const HOST_SCRIPT = `at=$1
case $at in "~"*) at=$HOME\${at#"~"};; esac
runs=$at/runs
while [ ! -e "$at" ] && [ "$at" != / ]; do at=$(dirname "$at"); done
echo "at=$at"
[ -w "$at" ] && echo writable=yes
df -Pk "$at" 2>/dev/null | awk 'NR == 2 { print "free=" $4 * 1024 }'
findmnt -no OPTIONS -T "$at" 2>/dev/null | tr , '\\n' | grep -qx noexec && echo noexec=yes
date +now=%s
for run in "$runs"/*/; do [ -d "$run" ] && echo "run=$(basename "$run")"; done
exit 0`;

/** What a node must be to run anything at all. It can only be reported. */
const host: Playbook = ({ node }) => [workdirResource(node.workdir, () => Date.now() / 1000)];
export default host;

/** `now`: Unix time here. */
function workdirResource(workdir: string, now: () => number): Resource<[CommandState, AccessState]> {
  const look: Probe = {
    ask: "command",
    argv: ["/bin/sh", "-c", HOST_SCRIPT, "look", workdir],
    timeout: HOST_PROBE_TIMEOUT_SECONDS,
  };
  const runs = `${workdir}/runs`;
  return {
    name: "workdir and clock",
    probe: { ask: "all", of: [look, { ask: "access", path: runs }] },
    diff: ([{ stdout }, access]) => [...diffHost(workdir, stdout, now()), ...diffAccess(runs, access)],
    notes: ([{ stdout }]) => noteRunsLeft(workdir, stdout),
  };
}

/** Pure: what keeps chunks from running, or makes their times wrong, each with its remedy. */
export function diffHost(workdir: string, answer: string, now: number): Difference[] {
  const said = new Map(parseLines(answer));
  const found: Difference[] = [];
  const at = said.get("at") ?? workdir;
  if (!said.has("at")) return [{ what: workdir, have: "it cannot be looked at", want: "an answer from /bin/sh" }];
  if (said.get("writable") !== "yes")
    found.push({ what: workdir, have: `${at} is not writable`, want: "a `workdir` in the inventory that is" });
  if (said.get("noexec") === "yes")
    found.push({ what: workdir, have: `${at} is mounted noexec`, want: "a `workdir` where scripts can run" });
  const free = Number(said.get("free") ?? Number.POSITIVE_INFINITY);
  if (free < MIN_FREE_BYTES)
    found.push({
      what: workdir,
      have: `${Math.floor(free / 2 ** 20)} MiB free`,
      want: `${MIN_FREE_BYTES / 2 ** 20} MiB or more`,
    });
  const off = Number(said.get("now") ?? now) - now;
  if (Math.abs(off) > MAX_CLOCK_OFFSET_SECONDS)
    found.push({
      what: "clock",
      have: `${Math.round(Math.abs(off))} s ${off > 0 ? "ahead" : "behind"}`,
      want: "NTP (`timedatectl set-ntp true`)",
    });
  return found;
}

/** Pure: runs that have something there: agents at work, or waiting for a coordinator to come back. */
export function noteRunsLeft(workdir: string, answer: string): string[] {
  const runs = parseLines(answer).filter(([name]) => name === "run");
  if (runs.length === 0) return [];
  const names = runs.slice(0, 5).map(([, run]) => run);
  const more = runs.length > names.length ? ` and ${runs.length - names.length} more` : "";
  return [`${workdir}/runs holds ${names.join(", ")}${more}: at work, or kept until the lease ends`];
}

function parseLines(answer: string): [name: string, value: string][] {
  return answer.split("\n").flatMap((line) => {
    const at = line.indexOf("=");
    return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)] as [string, string]];
  });
}
