import { decideContact, type LoginAttempt } from "../fleet/bootstrap/decidecontact.js";
import type { Dialer } from "../fleet/connect.js";
import type { Connection } from "../fleet/connection.js";
import type { ConnectionError, UnknownHostKey } from "../fleet/connectionerror.js";
import type { FirstContact } from "../fleet/dialoptions.js";
import type { Node } from "../fleet/node.js";
import type { NodeLogin } from "../fleet/ssh/sshdialer.js";
import type { Writers } from "../report/writers.js";
import { MusterError } from "../schemas/errors.js";
import { askHidden, canAsk, confirm } from "./question.js";

/** How to log in to a machine for the first time. */
export interface ContactOptions {
  /** A private key to log in with where ours are not accepted. */
  key?: string;
  /** The fingerprint that the host key must have. */
  fingerprint?: string;
  /** Whether a host key that is not known is recorded without a question. */
  acceptNew: boolean;
}

/** A first log-in that has succeeded. */
export interface FirstLogin {
  connection: Connection;
  attempt: LoginAttempt;
  hasRecordedKey: boolean;
  password?: string;
}

/**
 * Logs in with our keys, else with the given key, else with a password that is asked for; an unknown host key is shown and confirmed first.
 * Rejects with a MusterError: why it failed, or (USAGE) what cannot be asked without a terminal.
 */
export async function contactMachine(
  dialer: Dialer,
  node: Node,
  login: NodeLogin,
  { key, fingerprint, acceptNew }: ContactOptions,
  writers: Writers,
): Promise<FirstLogin> {
  let how: FirstContact = { ...(fingerprint === undefined ? {} : { fingerprint }) };
  let attempt: LoginAttempt = { with: "our keys" };
  for (;;) {
    const asNode = attempt.with === "given key" ? { ...node, identityFile: key! } : node;
    try {
      const connection = await dialer.connect(asNode, { firstContact: how });
      return {
        connection,
        attempt,
        hasRecordedKey: how.recordsKey === true,
        ...(how.password === undefined ? {} : { password: how.password }),
      };
    } catch (error) {
      const decision = decideContact(error, attempt, key !== undefined);
      switch (decision.kind) {
        case "confirm host key":
          if (!acceptNew && !decision.key.isAccepted && fingerprint === undefined)
            await confirmHostKey(node, login, decision.key);
          how = { ...how, fingerprint: decision.key.fingerprint, recordsKey: true };
          break;
        case "use given key":
          attempt = { with: "given key" };
          break;
        case "ask for password": {
          if (attempt.with === "password") writers.err(`${node.name}: the password is wrong`);
          const password = await askForPassword(node, login, error as ConnectionError);
          attempt = { with: "password", tries: attempt.with === "password" ? attempt.tries + 1 : 1 };
          how = { ...how, password };
          break;
        }
        case "give up":
          throw error;
        default:
          return decision satisfies never;
      }
    }
  }
}

/** Rejects with a MusterError unless a person says that the key is the machine's. */
async function confirmHostKey(node: Node, { host, port }: NodeLogin, key: UnknownHostKey): Promise<void> {
  const shown = `${key.type} ${key.fingerprint}`;
  const file = `/etc/ssh/ssh_host_${key.type.replace(/^(?:ssh-)?(\w+?)(?:-sha2.*)?$/, "$1")}_key.pub`;
  if (!canAsk())
    throw new MusterError("USAGE", `host key: ${shown} is not known, and there is no terminal to confirm it on`, {
      node: node.name,
      next: `Compare it on the machine (ssh-keygen -lf ${file}), then add: --fingerprint ${key.fingerprint}`,
    });
  const lines = [
    `${node.name}: the host key of ${host}:${port} is not known yet: ${shown}`,
    `On the machine itself, this prints it: ssh-keygen -lf ${file}`,
  ];
  if (await confirm(lines.join("\n"), "Is it the same, and shall it be recorded?")) return;
  throw new MusterError("HOST_KEY_UNKNOWN", `host key: ${shown} was not confirmed; nothing was sent`, {
    node: node.name,
    next: "Compare the fingerprint on the machine itself, then run the same command again.",
  });
}

/** Rejects with a MusterError (USAGE) without a terminal. An empty answer is no password. */
async function askForPassword(node: Node, { user, host }: NodeLogin, error: ConnectionError): Promise<string> {
  if (!canAsk())
    throw new MusterError("USAGE", `${error.step}: ${error.detail}; there is no terminal to ask for a password on`, {
      node: node.name,
      next: "Name a key that it takes: --key FILE. Or run the command on a terminal.",
    });
  const password = await askHidden(`password of ${user}@${host}: `);
  if (password) return password;
  throw new MusterError("AUTH", "log-in: no password was given", {
    node: node.name,
    next: "Run the same command again, or name a key that it takes: --key FILE",
  });
}
