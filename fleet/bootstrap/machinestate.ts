import type { Connection } from "../connection.js";
import { ConnectionError } from "../connectionerror.js";

/** A file or folder that sshd looks at before it takes a key. `mode`: permission bits. */
export interface PathState {
  path: string;
  uid: number;
  mode: number;
}

/** What sudo says to the user. `asks`: it asks for a password. `refuses`: it lets the user run nothing. */
export type SudoState = { kind: "free" } | { kind: "asks" } | { kind: "missing" } | { kind: "refuses"; reason: string };

/** What is there before a machine is made a node. */
export interface MachineState {
  uid: number;
  user: string;
  /** The home folder, `.ssh` and `authorized_keys`, those that exist. */
  paths: PathState[];
  /** Whether authorized_keys has our key. */
  hasKey: boolean;
  /** The version of the interpreter; undefined: it cannot be run. */
  python?: string;
  packageManager?: "apt" | "dnf";
  /** The distribution's name. */
  system: string;
  sudo: SudoState;
}

const PROBE_SECONDS = 30;
const MAX_TEXT_CHARS = 200;

/** Prints a line for each thing. Takes the interpreter and our key in base64. */
const PROBE = `export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
echo "machine 1"
echo "uid $(id -u)"
echo "user $(id -un)"
for path in "$HOME" "$HOME/.ssh" "$HOME/.ssh/authorized_keys"; do
  [ -e "$path" ] && echo "path $(stat -L -c '%u %a' "$path") $path"
done
if grep -v '^[[:space:]]*#' "$HOME/.ssh/authorized_keys" 2>/dev/null | grep -qF -e "$2"; then echo "key yes"; fi
"$1" -c 'import sys; print("python %d.%d.%d" % sys.version_info[:3])' 2>/dev/null </dev/null
for manager in apt-get dnf; do command -v $manager >/dev/null && echo "manager \${manager%-get}"; done
echo "system $(. /etc/os-release 2>/dev/null && echo "$PRETTY_NAME")"
if ! command -v sudo >/dev/null; then echo "sudo missing"
elif said=$(sudo -k -n true 2>&1 </dev/null); then echo "sudo free"
else echo "sudo says $(echo "$said" | tail -n 1)"; fi
exit 0`;

/**
 * Looks at a machine without Python and without a change. `key`: ours, in base64. Rejects with a ConnectionError (SHELL, LOST, TIMEOUT).
 */
export async function probeMachine(connection: Connection, key: string): Promise<MachineState> {
  const { node } = connection;
  const where = { node: node.name, step: "look at the machine" };
  const argv = ["/bin/sh", "-c", PROBE, "sh", node.python, key];
  const answer = await connection.exec(argv, { timeout: PROBE_SECONDS, cap: 64 * 1024 });
  const state = answer.kind === "exit" ? parseMachineState(answer.stdout) : undefined;
  if (state !== undefined) return state;
  if (answer.kind === "lost") throw new ConnectionError("LOST", where, answer.reason);
  if (answer.kind === "timeout") throw new ConnectionError("TIMEOUT", where, `no answer within ${answer.seconds} s`);
  const printed = shorten(`${answer.stdout} ${answer.stderr}`) || "nothing";
  throw new ConnectionError("SHELL", where, `/bin/sh did not answer; it printed ${printed}`);
}

/** Reads what the probe prints; undefined where that is incomplete. Pure. */
export function parseMachineState(answer: string): MachineState | undefined {
  const lines = answer.split("\n").map((line) => /^(\w+) (.*)$/.exec(line) ?? []);
  const find = (name: string) => lines.find(([, one]) => one === name)?.[2];
  const uid = find("uid");
  const sudo = find("sudo");
  if (uid === undefined || !/^\d{1,10}$/.test(uid) || sudo === undefined) return undefined;
  const manager = find("manager");
  const python = find("python");
  return {
    uid: Number(uid),
    user: shorten(find("user") ?? ""),
    paths: lines.flatMap(([, name, rest = ""]) => (name === "path" ? parsePath(rest) : [])),
    hasKey: find("key") === "yes",
    ...(python !== undefined && /^\d{1,3}(\.\d{1,3}){2}$/.test(python) ? { python } : {}),
    ...(manager === "apt" || manager === "dnf" ? { packageManager: manager } : {}),
    system: shorten(find("system") ?? ""),
    sudo: parseSudo(sudo),
  };
}

function parsePath(text: string): PathState[] {
  const [, uid, mode, path] = /^(\d{1,10}) ([0-7]{1,4}) (\/.*)$/.exec(text) ?? [];
  return path === undefined ? [] : [{ path, uid: Number(uid), mode: Number.parseInt(mode!, 8) }];
}

function parseSudo(text: string): SudoState {
  if (text === "free" || text === "missing") return { kind: text };
  const said = text.replace(/^says /, "");
  return /password is required/.test(said) ? { kind: "asks" } : { kind: "refuses", reason: shorten(said) };
}

/** One line without control characters. */
function shorten(text: string): string {
  return text
    .replace(/[\p{C}\s]+/gu, " ")
    .trim()
    .slice(0, MAX_TEXT_CHARS);
}
