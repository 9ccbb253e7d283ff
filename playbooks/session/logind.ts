/** What logind does at the last logout of a user. */
export interface LogoutEffects {
  user: string;
  killsProcesses: boolean;
  /** The user's files in /dev/shm are deleted. */
  removesFiles: boolean;
}

/** In order of increasing precedence. */
export const LOGIND_FILES = [
  "/usr/lib/systemd/logind.conf",
  "/etc/systemd/logind.conf",
  "/usr/lib/systemd/logind.conf.d/*.conf",
  "/run/systemd/logind.conf.d/*.conf",
  "/etc/systemd/logind.conf.d/*.conf",
].join(" ");

/** Channels of one connection that muster uses at once: files, the agent, and one or two commands. */
export const MIN_SESSIONS = 4;
/** Lower ids are system users, whose files RemoveIPC does not delete. */
const FIRST_USER_ID = 1000;

/** Pure: parses `Name=value` lines. Values from logind override those from its files (`file:Name=value`), of which the last counts. */
export function parseLogoutEffects(text: string): LogoutEffects {
  const reported = new Map<string, string>();
  const configured = new Map<string, string>();
  for (const line of text.split("\n")) {
    const parts = /^(file:)?(\w+)\s*=\s*(.*?)\s*$/.exec(line);
    if (parts !== null) (parts[1] === undefined ? reported : configured).set(parts[2]!, parts[3]!);
  }
  const user = (reported.get("user") ?? "the user").replace(/[^\w.@-]/g, "?").slice(0, 40);
  const isRunning = reported.get("running") === "yes" || reported.has("RemoveIPC");
  const setting = (name: string, standard: string) => reported.get(name) ?? configured.get(name) ?? standard;
  const isExcluded = setting("KillExcludeUsers", "root").split(/\s+/).includes(user);
  const isSystem = Number(reported.get("uid") ?? FIRST_USER_ID) < FIRST_USER_ID;
  const lingers = isYes(reported.get("Linger") ?? "no");
  return {
    user,
    killsProcesses: isRunning && isYes(setting("KillUserProcesses", "no")) && !isExcluded,
    removesFiles: isRunning && isYes(setting("RemoveIPC", "yes")) && !isSystem && !lingers,
  };
}

/** Parses MaxSessions from sshd's configuration (the first one counts); undefined if it is not set. */
export function parseMaxSessions(config: string): number | undefined {
  const found = /^[ \t]*maxsessions(?:[ \t]+|[ \t]*=[ \t]*)"?(\d{1,6})\b/im.exec(config);
  return found === null ? undefined : Number(found[1]);
}

function isYes(text: string): boolean {
  return /^(yes|true|on|1|y|t)$/i.test(text);
}
