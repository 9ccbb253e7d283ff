import type { CommandState, Difference, Playbook, Probe, Resource } from "./engine/resource.js";
import {
  LOGIND_FILES,
  type LogoutEffects,
  MIN_SESSIONS,
  parseLogoutEffects,
  parseMaxSessions,
} from "./session/logind.js";

/** Facts that logind tells, one `Name=value` a line; its files where it does not answer. */
const LOGIND_SCRIPT = `echo "uid=$(id -u)"; echo "user=$(id -un)"
[ -d /run/systemd/system ] && echo running=yes
cat /dev/null ${LOGIND_FILES} 2>/dev/null | sed 's/^[[:space:]]*/file:/'
loginctl show-session -p KillUserProcesses -p KillExcludeUsers -p RemoveIPC 2>/dev/null
loginctl show-user "$(id -un)" -p Linger 2>/dev/null
exit 0`;
/** sshd says what holds only to root; anyone else may read its files. */
const SSHD_SCRIPT = `PATH=$PATH:/usr/sbin:/sbin
if [ "$(id -u)" = 0 ] && sshd -T 2>/dev/null; then exit 0; fi
cat /etc/ssh/sshd_config.d/*.conf /etc/ssh/sshd_config 2>/dev/null
exit 0`;
const SESSION_PROBE_TIMEOUT_SECONDS = 10;

/** What ends when a log-in ends: processes, files in memory; and how much one connection may carry. It can only be reported. */
const session: Playbook = ({ inventory }) => [sessionResource(Object.keys(inventory.ramdisk))];
export default session;

function sessionResource(ramdisks: string[]): Resource<[CommandState, CommandState]> {
  const ask = (script: string): Probe => ({
    ask: "command",
    argv: ["/bin/sh", "-c", script],
    timeout: SESSION_PROBE_TIMEOUT_SECONDS,
  });
  return {
    name: "session",
    probe: { ask: "all", of: [ask(LOGIND_SCRIPT), ask(SSHD_SCRIPT)] },
    diff: ([logind, sshd]) => diffSession(parseLogoutEffects(logind.stdout), parseMaxSessions(sshd.stdout), ramdisks),
  };
}

/** Pure: what would be lost at logout, or cannot be opened, each with its remedy. */
export function diffSession(ends: LogoutEffects, most: number | undefined, ramdisks: string[]): Difference[] {
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
  if (most !== undefined && most < MIN_SESSIONS)
    found.push({
      what: "MaxSessions",
      have: String(most),
      want: `${MIN_SESSIONS} or more (in /etc/ssh/sshd_config; 10 is sshd's default)`,
    });
  return found;
}
