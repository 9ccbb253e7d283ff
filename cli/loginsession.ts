import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";

/** The user whose processes are to survive a logout. */
export interface LoginUser {
  name: string;
  uid: number;
  env: NodeJS.ProcessEnv;
}

/** Returns the user of this process. */
export function describeUser(env: NodeJS.ProcessEnv): LoginUser {
  const uid = process.getuid?.() ?? 0;
  try {
    return { name: userInfo().username, uid, env };
  } catch {
    return { name: `${uid}`, uid, env }; // The system does not know the user, so linger is not on either.
  }
}

/** What surviving a logout takes. */
export interface LogoutSurvival {
  /** Begins a command that runs in a scope of the user's systemd; empty where a session of its own (setsid) must do. */
  prefix: string[];
  env: Record<string, string>;
  /** What a person should know. */
  note?: string;
}

/**
 * Returns how a process survives the end of its login session. Without systemd, it needs a session of its own only. With systemd it is
 * also moved into a scope of the user's service manager, where that outlives logins (linger); otherwise it stays where it is, because
 * that manager ends with the last login. `root`: the folder in which system files are looked for.
 */
export function planLogoutSurvival({ name, uid, env }: LoginUser, root = "/"): LogoutSurvival {
  if (!existsSync(join(root, "run/systemd/system"))) return { prefix: [], env: {} };
  if (!existsSync(join(root, "var/lib/systemd/linger", name))) {
    // logind leaves root's processes alone.
    if (uid === 0) return { prefix: [], env: {} };
    const note = `linger is off for ${name}: where systemd ends processes at logout (KillUserProcesses=yes), it ends this run, too; to prevent that: loginctl enable-linger`;
    return { prefix: [], env: {}, note };
  }
  const runtime = env.XDG_RUNTIME_DIR || `/run/user/${uid}`;
  const hasManager = existsSync(join(root, runtime, "systemd/private"));
  const hasProgram = (env.PATH ?? "").split(":").some((folder) => existsSync(join(root, folder, "systemd-run")));
  if (!hasManager || !hasProgram) return { prefix: [], env: {} };
  return {
    prefix: ["systemd-run", "--user", "--scope", "--quiet", "--collect", "--"],
    env: { XDG_RUNTIME_DIR: runtime },
  };
}
