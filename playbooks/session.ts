import type { CommandState, Difference, Playbook, Probe, Resource } from "./engine/resource.js";
import { type Ends, endsOf, FEWEST_SESSIONS, LOGIND_FILES, maxSessions } from "./session/ends.js";

/** Facts that logind tells, one `Name=value` a line; its files where it does not answer. */
const LOGIND = `echo "uid=$(id -u)"; echo "user=$(id -un)"
[ -d /run/systemd/system ] && echo running=yes
cat /dev/null ${LOGIND_FILES} 2>/dev/null | sed 's/^[[:space:]]*/file:/'
loginctl show-session -p KillUserProcesses -p KillExcludeUsers -p RemoveIPC 2>/dev/null
loginctl show-user "$(id -un)" -p Linger 2>/dev/null
exit 0`;
/** sshd says what holds only to root; anyone else may read its files. */
const SSHD = `PATH=$PATH:/usr/sbin:/sbin
if [ "$(id -u)" = 0 ] && sshd -T 2>/dev/null; then exit 0; fi
cat /etc/ssh/sshd_config.d/*.conf /etc/ssh/sshd_config 2>/dev/null
exit 0`;
const PATIENCE = 10;

/** What ends when a log-in ends: processes, files in memory; and how much one connection may carry. It can only be reported. */
const session: Playbook = ({ inventory }) => [sessions(Object.keys(inventory.ramdisk))];
export default session;

function sessions(ramdisks: string[]): Resource<[CommandState, CommandState]> {
  const ask = (script: string): Probe => ({ ask: "command", argv: ["/bin/sh", "-c", script], timeout: PATIENCE });
  return {
    name: "session",
    probe: { ask: "all", of: [ask(LOGIND), ask(SSHD)] },
    diff: ([logind, sshd]) => sessionDifferences(endsOf(logind.stdout), maxSessions(sshd.stdout), ramdisks),
  };
}

/** Pure: what would be lost at logout, or cannot be opened, each with its remedy. */
export function sessionDifferences(ends: Ends, most: number | undefined, ramdisks: string[]): Difference[] {
  const found: Difference[] = [];
  if (ends.killsProcesses)
    found.push({
      what: "KillUserProcesses",
      have: `yes: what ${ends.user} leaves running dies at logout, chunks too`,
      want: "no (in /etc/systemd/logind.conf, then `systemctl restart systemd-logind`), or the user in KillExcludeUsers=",
    });
  const inMemory = ramdisks.filter((path) => path.startsWith("/dev/shm/"));
  if (ends.removesFiles && inMemory.length > 0)
    found.push({
      what: "RemoveIPC",
      have: `yes, and ${ends.user} does not linger: ${inMemory.join(", ")} goes when the last log-in ends`,
      want: `lingering (\`sudo loginctl enable-linger ${ends.user}\`), or RemoveIPC=no in /etc/systemd/logind.conf`,
    });
  if (most !== undefined && most < FEWEST_SESSIONS)
    found.push({
      what: "MaxSessions",
      have: String(most),
      want: `${FEWEST_SESSIONS} or more (in /etc/ssh/sshd_config; 10 is sshd's default)`,
    });
  return found;
}
