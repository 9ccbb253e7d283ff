/** What ends with a user's last log-in. */
export interface LogoutEffects {
  user: string;
  killsProcesses: boolean;
  /** Files of the user in /dev/shm go. */
  removesFiles: boolean;
}

/** From weak to strong. */
export const LOGIND_FILES = [
  "/usr/lib/systemd/logind.conf",
  "/etc/systemd/logind.conf",
  "/usr/lib/systemd/logind.conf.d/*.conf",
  "/run/systemd/logind.conf.d/*.conf",
  "/etc/systemd/logind.conf.d/*.conf",
].join(" ");

/** Sessions of one connection that muster uses at a time: files, the agent, and a command or two. */
export const MIN_SESSIONS = 4;
/** Users below are the system's own, whose files RemoveIPC leaves alone. */
const FIRST_USER_ID = 1000;

/** Pure: reads `Name=value` lines; what logind itself says comes before what its files say (`file:Name=value`, the last one counts). */
export function parseLogoutEffects(text: string): LogoutEffects {
  const said = new Map<string, string>();
  const filed = new Map<string, string>();
  for (const line of text.split("\n")) {
    const parts = /^(file:)?(\w+)\s*=\s*(.*?)\s*$/.exec(line);
    if (parts !== null) (parts[1] === undefined ? said : filed).set(parts[2]!, parts[3]!);
  }
  const user = (said.get("user") ?? "the user").replace(/[^\w.@-]/g, "?").slice(0, 40);
  const isThere = said.get("running") === "yes" || said.has("RemoveIPC");
  const value = (name: string, standard: string) => said.get(name) ?? filed.get(name) ?? standard;
  const spared = value("KillExcludeUsers", "root").split(/\s+/).includes(user);
  const isSystem = Number(said.get("uid") ?? FIRST_USER_ID) < FIRST_USER_ID;
  return {
    user,
    killsProcesses: isThere && isYes(value("KillUserProcesses", "no")) && !spared,
    removesFiles: isThere && isYes(value("RemoveIPC", "yes")) && !isSystem && !isYes(said.get("Linger") ?? "no"),
  };
}

/** The MaxSessions of sshd's configuration (the first one counts); undefined where it does not say. */
export function parseMaxSessions(config: string): number | undefined {
  const found = /^[ \t]*maxsessions(?:[ \t]+|[ \t]*=[ \t]*)"?(\d{1,6})\b/im.exec(config);
  return found === null ? undefined : Number(found[1]);
}

function isYes(text: string): boolean {
  return /^(yes|true|on|1|y|t)$/i.test(text);
}
