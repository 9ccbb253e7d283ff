import { MusterError } from "../../schemas/errors.js";
import type { MachineState, PathState } from "./machinestate.js";

/** Others may write there: sshd takes no key from such a file (StrictModes). */
const OTHERS_WRITE = 0o022;
const MIN_PYTHON_MINOR = 8;

/** The modes that sshd requires of paths that have others. Pure; throws a MusterError (DENIED) where one belongs to somebody else. */
export function decideModes(node: string, { uid, paths }: MachineState): PathState[] {
  const foreign = paths.find((one) => one.uid !== uid && one.uid !== 0);
  if (foreign !== undefined)
    throw new MusterError(
      "DENIED",
      `public key: ${foreign.path} belongs to uid ${foreign.uid}, so sshd takes no key from it`,
      {
        node,
        next: `Give it to that user there, as root: chown ${uid} ${foreign.path}`,
      },
    );
  return paths
    .filter(({ mode }) => (mode & OTHERS_WRITE) !== 0)
    .map((one) => ({ ...one, mode: one.mode & ~OTHERS_WRITE }));
}

/** What is to be done about sudo. `ask password`: root is needed once, to set the rule or to install python3. */
export type SudoStep = { kind: "nothing"; reason: string } | { kind: "set rule" } | { kind: "ask password" };

/** What the node is for. */
export interface SudoWish {
  /** The chosen playbooks that run programs as root. */
  rootPlaybooks: readonly string[];
  /** false: sudo is left as it is. */
  mayChange: boolean;
}

/** Decides what to do about sudo. Pure; throws a MusterError (SUDO) where the user cannot become root although that is needed. */
export function decideSudo(node: string, state: MachineState, { rootPlaybooks, mayChange }: SudoWish): SudoStep {
  if (state.uid === 0) return { kind: "nothing", reason: "not needed: the log-in is root's" };
  const wantsRule = mayChange && rootPlaybooks.length > 0;
  if (state.sudo.kind === "free") return { kind: "nothing", reason: "works without a password" };
  if (!wantsRule && state.python !== undefined)
    return {
      kind: "nothing",
      reason: mayChange ? "not needed: no chosen playbook runs programs as root" : "left as it is",
    };
  const why = wantsRule
    ? `the playbooks ${rootPlaybooks.join(", ")} run programs as root`
    : "python3 is to be installed";
  const otherwise = wantsRule ? ", or leave sudo as it is with --no-sudo" : "";
  if (state.sudo.kind === "missing")
    throw new MusterError("SUDO", `sudo: it is not installed, and ${why}`, {
      node,
      next: `Log in as root (muster bootstrap root@HOST), or install sudo there${otherwise}.`,
    });
  if (state.sudo.kind === "refuses")
    throw new MusterError("SUDO", `sudo: it refuses ${state.user}: ${state.sudo.reason}; and ${why}`, {
      node,
      next: `Log in as root (muster bootstrap root@HOST), or allow ${state.user} to use sudo there${otherwise}.`,
    });
  return { kind: wantsRule ? "set rule" : "ask password" };
}

/** What is to be done about Python. */
export type PythonStep = { kind: "nothing"; version: string } | { kind: "install"; manager: "apt" | "dnf" };

/** Decides what to do about Python. Pure; throws a MusterError (NO_PYTHON) where it cannot be installed. */
export function decidePython(node: string, python: string, state: MachineState): PythonStep {
  const { python: version, packageManager: manager, system } = state;
  if (version !== undefined) {
    const [major = 0, minor = 0] = version.split(".").map(Number);
    if (major > 3 || (major === 3 && minor >= MIN_PYTHON_MINOR)) return { kind: "nothing", version };
    throw new MusterError("NO_PYTHON", `python3: ${python} is ${version}, and 3.8 or later is needed`, {
      node,
      next: `Install a later one there beside it, and set its path as python: in the inventory.`,
    });
  }
  if (!["python3", "/usr/bin/python3"].includes(python))
    throw new MusterError("NO_PYTHON", `python3: ${python} cannot be run`, {
      node,
      next: "Install it there, or correct python: in the inventory.",
    });
  if (manager !== undefined) return { kind: "install", manager };
  const what = system === "" ? "a system without a name" : system;
  throw new MusterError("NO_PYTHON", `python3: it is missing, and ${what} has neither apt-get nor dnf`, {
    node,
    next: "Install python3 (3.8 or later) there by hand, then run the same command again.",
  });
}

/** The rule that lets a user run everything as root without a password, and its file. Pure. */
export function formatSudoRule({ uid, user }: Pick<MachineState, "uid" | "user">): {
  file: string;
  text: string;
  rule: string;
} {
  const isPlain = /^[a-z_][a-z0-9_-]{0,31}$/.test(user);
  const rule = `${isPlain ? user : `#${uid}`} ALL=(ALL:ALL) NOPASSWD: ALL`;
  const file = `/etc/sudoers.d/muster-${isPlain ? user : `uid-${uid}`}`;
  return { file, rule, text: `# Set by muster bootstrap: playbooks run programs as root.\n${rule}\n` };
}
