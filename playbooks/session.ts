import type { CommandState, Difference, Playbook, Probe, Resource } from "./engine/resource.js";
import {
  LOGIND_FILES,
  type LogoutEffects,
  MIN_SESSIONS,
  parseLogoutEffects,
  parseMaxSessions,
} from "./session/logind.js";

/** Prints logind's settings, one `Name=value` per line, and those of its files in case logind does not answer. */
const LOGIND_SCRIPT = `echo "uid=$(id -u)"; echo "user=$(id -un)"
[ -d /run/systemd/system ] && echo running=yes
cat /dev/null ${LOGIND_FILES} 2>/dev/null | sed 's/^[[:space:]]*/file:/'
loginctl show-session -p KillUserProcesses -p KillExcludeUsers -p RemoveIPC 2>/dev/null
loginctl show-user "$(id -un)" -p Linger 2>/dev/null
exit 0`;
/** `sshd -T` works for root only; other users can read its files. */
const SSHD_SCRIPT = `PATH=$PATH:/usr/sbin:/sbin
if [ "$(id -u)" = 0 ] && sshd -T 2>/dev/null; then exit 0; fi
cat /etc/ssh/sshd_config.d/*.conf /etc/ssh/sshd_config 2>/dev/null
exit 0`;
const SESSION_PROBE_TIMEOUT_SECONDS = 10;

/** Checks what a logout ends (processes, files in memory), and how many channels sshd allows. Drift is only reported. */
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

/** Pure: lists what would be lost at logout, and a too low MaxSessions, each with its remedy. */
export function diffSession(effects: LogoutEffects, maxSessions: number | undefined, ramdisks: string[]): Difference[] {
  const found: Difference[] = [];
  if (effects.killsProcesses)
    found.push({
      what: "KillUserProcesses",
      have: `yes: all processes of ${effects.user} are killed at logout, including chunks`,
      want: "no (in /etc/systemd/logind.conf, then `systemctl restart systemd-logind`), or the user in KillExcludeUsers=",
    });
  const inMemory = ramdisks.filter((path) => path.startsWith("/dev/shm/"));
  if (effects.removesFiles && inMemory.length > 0)
    found.push({
      what: "RemoveIPC",
      have: `yes, and ${effects.user} does not linger: ${inMemory.join(", ")} is deleted at the last logout`,
      want: `lingering (\`sudo loginctl enable-linger ${effects.user}\`), or RemoveIPC=no in /etc/systemd/logind.conf`,
    });
  if (maxSessions !== undefined && maxSessions < MIN_SESSIONS)
    found.push({
      what: "MaxSessions",
      have: String(maxSessions),
      want: `${MIN_SESSIONS} or more (in /etc/ssh/sshd_config; 10 is sshd's default)`,
    });
  return found;
}
