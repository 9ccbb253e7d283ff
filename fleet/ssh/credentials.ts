import type { AnyAuthMethod, ParsedKey } from "ssh2";
import { ConnectionError, type NodeStep } from "../connectionerror.js";
import type { Hop } from "./hops.js";
import { type KeyFile, readKeyFile } from "./keyfiles.js";
import { FilteredAgent, listAgentKeys } from "./sshagent.js";

/** What to offer a server, in order, and in words for when it declines. */
export interface Credentials {
  methods: AnyAuthMethod[];
  /** Keys offered. */
  offered: string[];
  /** Keys that could not be offered, and why. */
  unusable: string[];
}

/**
 * The keys to log in with: those of the named files first (their private half from an agent where an agent has it), then the
 * agent's others unless IdentitiesOnly. Never a password. Rejects (AUTH, UNSUPPORTED_KEY) when nothing could be offered.
 */
export async function findCredentials(hop: Hop, where: NodeStep): Promise<Credentials> {
  const files = hop.keyFiles.map(readKeyFile).filter((file) => file !== undefined);
  if (hop.isKeyNamed && files.length === 0) {
    throw new ConnectionError("AUTH", where, `there is no key file ${hop.keyFiles[0]}`, {
      next: "correct identity_file in the inventory",
    });
  }
  const unusable: string[] = [];
  const held = await listHeldKeys(hop, unusable);
  const credentials = {
    methods: [{ type: "none", username: hop.user }] as AnyAuthMethod[],
    offered: [] as string[],
    unusable,
  };
  const offerHeld = (keys: ParsedKey[]) => {
    if (keys.length === 0) return;
    credentials.methods.push({ type: "agent", username: hop.user, agent: new FilteredAgent(hop.agentSocket!, keys) });
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
      credentials.methods.push({ type: "publickey", username: hop.user, key: file.private as unknown as Buffer });
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

/** What is added to a reason where an agent that is not there might have had the key: cron has none. */
export function explainMissingAgent({ agentSocket: agent }: Pick<Hop, "agentSocket">): string {
  return agent === undefined ? "; there is no ssh agent to ask (SSH_AUTH_SOCK is not set, as under cron)" : "";
}

function createNoKeyError(files: KeyFile[], unusable: string[], where: NodeStep, hop: Hop): ConnectionError {
  const usual = files.flatMap((file) => ("problem" in file ? [file.next] : [])).at(0);
  const lone = explainMissingAgent(hop);
  const alone = "under cron, name a key without a passphrase with identity_file, or set SSH_AUTH_SOCK in the crontab";
  if (usual !== undefined) {
    const next = lone === "" ? usual : `${usual}; ${alone}`;
    return new ConnectionError("UNSUPPORTED_KEY", where, `no usable key: ${unusable.join("; ")}${lone}`, { next });
  }
  const reason = ["there is no key to log in with: no key file, no agent that holds one", ...unusable].join("; ");
  const next = "make one with ssh-keygen, or name one with identity_file";
  return new ConnectionError("AUTH", where, `${reason}${lone}`, { next: lone === "" ? next : `${next}; ${alone}` });
}
