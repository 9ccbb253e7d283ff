import type { AnyAuthMethod, AuthHandlerMiddleware, ParsedKey } from "ssh2";
import { ConnectionError, type NodeStep } from "../connectionerror.js";
import type { Hop } from "./hop.js";
import { type KeyFile, readKeyFile } from "./keyfiles.js";
import { allowsSha1, listUnusedSettings, rejectKey, restrictSignatures } from "./keypolicy.js";
import { offerPassword } from "./passwordlogin.js";
import { FilteredAgent, listAgentKeys } from "./sshagent.js";

/** The log-in methods to offer a server, in order, with their names for error messages. */
export interface Credentials {
  methods: AnyAuthMethod[] | AuthHandlerMiddleware;
  /** Names of the offered keys. */
  offered: string[];
  /** Names of the keys that cannot be offered, each with the reason. */
  unusable: string[];
  /** Whether a password is offered, not keys. */
  usesPassword?: true;
}

/**
 * Finds what to log in with for the first time: the password if there is one, else keys as `findCredentials`, or nothing where there is none,
 * so that the server says what it takes.
 */
export async function findFirstCredentials(hop: Hop, where: NodeStep): Promise<Credentials> {
  const password = hop.firstContact?.password;
  if (password !== undefined)
    return { methods: offerPassword(hop.user, password), offered: [], unusable: [], usesPassword: true };
  try {
    return await findCredentials(hop, where);
  } catch (error) {
    if (!(error instanceof ConnectionError) || hop.isKeyNamed) throw error;
    return { methods: [{ type: "none", username: hop.user }], offered: [], unusable: [error.detail] };
  }
}

/**
 * Finds the keys to log in with: first those of the key files (the agent signs where it holds the key), then the agent's other keys
 * unless IdentitiesOnly is set. Rejects with a ConnectionError (AUTH, UNSUPPORTED_KEY) if there is no usable key.
 */
export async function findCredentials(hop: Hop, where: NodeStep): Promise<Credentials> {
  const files = hop.keyFiles.map(readKeyFile).filter((file) => file !== undefined);
  if (hop.isKeyNamed && files.length === 0) {
    throw new ConnectionError("AUTH", where, `there is no key file ${hop.keyFiles[0]}`, {
      next: "correct identity_file in the inventory",
    });
  }
  const unusable = listUnusedSettings(hop);
  const held = await listHeldKeys(hop, unusable);
  const methods: AnyAuthMethod[] = [{ type: "none", username: hop.user }];
  const credentials = {
    methods,
    offered: [] as string[],
    unusable,
  };
  const offerHeld = (held: ParsedKey[]) => {
    const keys = held.filter((key) => rejectKey(key, hop) === undefined);
    if (keys.length === 0) return;
    methods.push({
      type: "agent",
      username: hop.user,
      agent: new FilteredAgent(hop.agentSocket!, keys, (key) => allowsSha1(key, hop)),
    });
    credentials.offered.push(...keys.map((key) => `${key.comment || key.type} (agent)`));
  };
  const ofFiles: ParsedKey[] = [];
  for (const file of files) {
    const blob = "private" in file ? file.private.getPublicSSH() : file.public;
    const same = held.find((key) => blob !== undefined && key.getPublicSSH().equals(blob));
    if (same !== undefined) {
      ofFiles.push(same);
      offerHeld([same]);
    } else if ("private" in file) {
      const problem = rejectKey(file.private, hop);
      if (problem !== undefined) {
        unusable.push(`${file.path} ${problem}`);
        continue;
      }
      const key = restrictSignatures(file.private, hop) as unknown as Buffer;
      methods.push({ type: "publickey", username: hop.user, key });
      credentials.offered.push(file.path);
    } else unusable.push(`${file.path} ${file.problem}`);
  }
  if (!hop.usesOnlyKeyFiles) offerHeld(held.filter((key) => !ofFiles.includes(key)));
  if (credentials.offered.length === 0) throw createNoKeyError(files, unusable, where, hop);
  return credentials;
}

async function listHeldKeys(hop: Hop, unusable: string[]): Promise<ParsedKey[]> {
  if (hop.agentSocket === undefined) return [];
  try {
    return await listAgentKeys(hop.agentSocket);
  } catch (error) {
    unusable.push(`the agent at ${hop.agentSocket}: ${(error as Error).message}`);
    return [];
  }
}

/** Text to append to a reason if no agent is running that might hold the key, as under cron; else empty. */
export function explainMissingAgent({ agentSocket }: Pick<Hop, "agentSocket">): string {
  return agentSocket === undefined ? "; no ssh agent is available (SSH_AUTH_SOCK is not set, as under cron)" : "";
}

function createNoKeyError(files: KeyFile[], unusable: string[], where: NodeStep, hop: Hop): ConnectionError {
  const missingAgent = explainMissingAgent(hop);
  const adviseOnCron = (next: string) =>
    missingAgent === ""
      ? next
      : `${next}; under cron, set identity_file to a key without a passphrase, or set SSH_AUTH_SOCK in the crontab`;
  const fileAdvice = files.flatMap((file) => ("problem" in file ? [file.next] : [])).at(0);
  if (fileAdvice !== undefined) {
    const reason = `no usable key: ${unusable.join("; ")}${missingAgent}`;
    return new ConnectionError("UNSUPPORTED_KEY", where, reason, { next: adviseOnCron(fileAdvice) });
  }
  const reason = ["there is no key to log in with: no key file, and no agent that holds one", ...unusable].join("; ");
  const next = "create one with ssh-keygen, or name one with identity_file";
  return new ConnectionError("AUTH", where, `${reason}${missingAgent}`, { next: adviseOnCron(next) });
}
