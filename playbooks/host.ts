import { diffAccess } from "./engine/diffaccess.js";
import type { AccessState, CommandState, Difference, Playbook, Probe, Resource } from "./engine/resource.js";

/** A clock with a larger offset makes the times in logs and journals useless. */
export const MAX_CLOCK_OFFSET_SECONDS = 60;
/** The least space for results and staged files. */
const MIN_FREE_BYTES = 1 << 30;
const HOST_PROBE_TIMEOUT_SECONDS = 10;

/** Prints facts about the workdir's file system and the clock, one `name=value` per line; changes nothing. */
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

/** Checks what every run requires of a node: a usable workdir and a correct clock. Drift is only reported. */
const host: Playbook = ({ node }) => [workdirResource(node.workdir, () => Date.now() / 1000)];
export default host;

/** `now` returns the local Unix time in seconds. */
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

/** Pure: lists what keeps chunks from running or makes their times wrong, each with its remedy. `now`: local Unix time in seconds. */
export function diffHost(workdir: string, answer: string, now: number): Difference[] {
  const facts = new Map(parseLines(answer));
  const found: Difference[] = [];
  const at = facts.get("at") ?? workdir;
  if (!facts.has("at")) return [{ what: workdir, have: "it cannot be checked", want: "an answer from /bin/sh" }];
  if (facts.get("writable") !== "yes")
    found.push({ what: workdir, have: `${at} is not writable`, want: "a `workdir` in the inventory that is" });
  if (facts.get("noexec") === "yes")
    found.push({ what: workdir, have: `${at} is mounted noexec`, want: "a `workdir` where scripts can run" });
  const free = Number(facts.get("free") ?? Number.POSITIVE_INFINITY);
  if (free < MIN_FREE_BYTES)
    found.push({
      what: workdir,
      have: `${Math.floor(free / 2 ** 20)} MiB free`,
      want: `${MIN_FREE_BYTES / 2 ** 20} MiB or more`,
    });
  const offset = Number(facts.get("now") ?? now) - now;
  if (Math.abs(offset) > MAX_CLOCK_OFFSET_SECONDS)
    found.push({
      what: "clock",
      have: `${Math.round(Math.abs(offset))} s ${offset > 0 ? "ahead" : "behind"}`,
      want: "NTP (`timedatectl set-ntp true`)",
    });
  return found;
}

/** Pure: notes the runs with files on the node: their agents work, or wait for a coordinator to reattach. */
export function noteRunsLeft(workdir: string, answer: string): string[] {
  const runs = parseLines(answer).filter(([name]) => name === "run");
  if (runs.length === 0) return [];
  const names = runs.slice(0, 5).map(([, run]) => run);
  const more = runs.length > names.length ? ` and ${runs.length - names.length} more` : "";
  return [`${workdir}/runs holds ${names.join(", ")}${more}: in use, or kept until the lease ends`];
}

function parseLines(answer: string): [name: string, value: string][] {
  return answer.split("\n").flatMap((line) => {
    const at = line.indexOf("=");
    return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)] as [string, string]];
  });
}
