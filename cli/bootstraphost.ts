import { authorizeKey, createUnacceptedKeyError, formatMode, setModes } from "../fleet/bootstrap/authorizekey.js";
import { decideModes, decidePython } from "../fleet/bootstrap/decidesteps.js";
import { type MachineState, probeMachine } from "../fleet/bootstrap/machinestate.js";
import type { RootAccess } from "../fleet/bootstrap/rootaccess.js";
import { checkFileService } from "../fleet/checkfileservice.js";
import type { Dialer } from "../fleet/connect.js";
import type { Connection } from "../fleet/connection.js";
import { ConnectionError } from "../fleet/connectionerror.js";
import { type Facts, gatherFacts } from "../fleet/facts.js";
import type { Node } from "../fleet/node.js";
import type { PublicKey } from "../fleet/ssh/publickey.js";
import { installPython } from "../playbooks/packages/installpython.js";
import type { Writers } from "../report/writers.js";
import { MusterError } from "../schemas/errors.js";
import { contactMachine, type FirstLogin } from "./firstcontact.js";
import { confirmOrRefuse, obtainRoot, type SudoOptions } from "./obtainroot.js";

/** What was found or done in one step of a bootstrap. */
export interface BootstrapStep {
  step: "host key" | "log-in" | "public key" | "sudo" | "python3" | "inventory";
  changed: boolean;
  detail: string;
}

/** What a machine is made a node with. */
export interface BootstrapSettings extends SudoOptions {
  /** A private key to log in with where ours are not accepted. */
  key?: string;
  fingerprint?: string;
  acceptNew: boolean;
  /** The key to authorize. */
  publicKey: PublicKey;
}

/**
 * Makes a machine usable as a node: host key, public key, sudo, python3; each only where it is not there yet. Calls `onStep` for each step
 * that is done. Resolves with the facts of the node. Rejects with a MusterError that names node and step.
 */
export async function bootstrapHost(
  dialer: Dialer,
  node: Node,
  settings: BootstrapSettings,
  writers: Writers,
  onStep: (step: BootstrapStep) => void,
): Promise<Facts> {
  const login = await dialer.loginOf(node);
  const contact = await contactMachine(dialer, node, login, settings, writers);
  let connection = contact.connection;
  try {
    onStep({ step: "host key", changed: contact.hasRecordedKey, detail: describeHostKey(contact) });
    onStep({ step: "log-in", changed: false, detail: `${login.user} with ${contact.attempt.with}` });
    const state = await probeMachine(connection, settings.publicKey.encoded);
    if (contact.attempt.with === "our keys")
      onStep({ step: "public key", changed: false, detail: "a key of ours is accepted" });
    else {
      const detail = await authorize(connection, state, settings);
      const proven = await proveKey(dialer, node);
      await connection.close();
      connection = proven;
      onStep({ step: "public key", changed: true, detail });
    }
    const access = await obtainRoot(connection, state, settings, contact.password, onStep);
    await ensurePython(connection, state, access, settings, onStep);
    const facts = await gatherFacts(connection);
    await checkFileService(connection);
    return facts;
  } finally {
    await connection.close();
  }
}

function describeHostKey({ connection, hasRecordedKey }: FirstLogin): string {
  return `${connection.hostKey ?? "none"}${hasRecordedKey ? ", recorded" : ""}`;
}

/** Authorizes our key, and returns what was done. Paths to which others may write are closed first: sshd takes no key from them. */
async function authorize(
  connection: Connection,
  state: MachineState,
  { publicKey, yes }: BootstrapSettings,
): Promise<string> {
  const { name } = connection.node;
  const modes = decideModes(name, state);
  if (modes.length > 0) {
    const list = modes.map(({ path, mode }) => `${path} to ${formatMode(mode)}`).join(", ");
    const why = "public key: others may write to paths from which sshd takes keys only if nobody else may";
    const what = `${why}; new modes: ${list}`;
    if (!(await confirmOrRefuse(name, what, "Set them?", yes, "--yes")))
      throw new MusterError("DENIED", why, { node: name, next: `Set these modes there: ${list}` });
    await setModes(connection, modes);
  }
  if (!state.hasKey) await authorizeKey(connection, publicKey);
  const { type, fingerprint, comment } = publicKey;
  const key = `${type} ${fingerprint}${comment === "" ? "" : ` (${comment})`}`;
  const done = state.hasKey ? "was in ~/.ssh/authorized_keys" : "added to ~/.ssh/authorized_keys";
  const changed = modes.map(({ path, mode }) => `; mode of ${path}: ${formatMode(mode)}`).join("");
  return `${key} ${done}${changed}`;
}

/** Logs in again as every later command of muster does. Rejects with a MusterError (AUTH) where sshd does not take the key. */
async function proveKey(dialer: Dialer, node: Node): Promise<Connection> {
  try {
    return await dialer.connect(node);
  } catch (error) {
    const isRefused = error instanceof ConnectionError && error.code === "AUTH";
    throw isRefused ? createUnacceptedKeyError(node.name, error.detail) : error;
  }
}

async function ensurePython(
  connection: Connection,
  state: MachineState,
  access: RootAccess | undefined,
  { publicKey }: BootstrapSettings,
  onStep: (step: BootstrapStep) => void,
): Promise<void> {
  const { name, python } = connection.node;
  const wanted = decidePython(name, python, state);
  if (wanted.kind === "nothing")
    return onStep({ step: "python3", changed: false, detail: `${python} is ${wanted.version}` });
  // decideSudo has refused machines on which nobody can become root.
  if (access === undefined)
    throw new MusterError("SUDO", "python3: it cannot be installed without root", { node: name });
  await installPython(connection, access, wanted.manager);
  const now = decidePython(name, python, await probeMachine(connection, publicKey.encoded));
  if (now.kind !== "nothing")
    throw new MusterError("NO_PYTHON", `python3: ${python} cannot be run although its package is installed`, {
      node: name,
      next: "Find out there where it is, and set python: in the inventory.",
    });
  onStep({ step: "python3", changed: true, detail: `installed with ${wanted.manager}: ${now.version}` });
}
