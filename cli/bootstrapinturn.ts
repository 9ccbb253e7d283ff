import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { addNode, parseGrowingInventory } from "../fleet/bootstrap/addnode.js";
import { type BootstrapTarget, createUnlistedNode, findTarget } from "../fleet/bootstrap/findtarget.js";
import { Dialer } from "../fleet/connect.js";
import type { HostRequest } from "../fleet/discovery/hostrequest.js";
import { formatInventoryDraft, nameHost } from "../fleet/discovery/inventorydraft.js";
import type { Facts } from "../fleet/facts.js";
import { embeddedInventory, type Inventory } from "../fleet/inventory.js";
import { type PublicKey, readPublicKeyFile } from "../fleet/ssh/publickey.js";
import type { NamedPlaybook } from "../playbooks/engine/planresources.js";
import type { Writers } from "../report/writers.js";
import { MusterError } from "../schemas/errors.js";
import { readSource } from "../schemas/parsesource.js";
import type { InventoryFile } from "../schemas/types.js";
import { findSchema } from "../templates/starters.js";
import { type BootstrapStep, bootstrapHost } from "./bootstraphost.js";
import { explainUnreached } from "./explainunreached.js";
import { replaceInventory } from "./inventoryfile.js";
import type { CommonOptions } from "./options.js";

export interface BootstrapOptions extends CommonOptions {
  key?: string;
  publicKey?: string;
  fingerprint?: string;
  acceptNew?: boolean;
  name?: string;
  playbooks?: string;
  yes?: boolean;
  /** false: `--no-sudo`. */
  sudo: boolean;
}

/** The outcome for one machine. `node`: its name in the inventory, once it is known. */
export interface HostOutcome {
  host: string;
  node?: string;
  steps: BootstrapStep[];
  error?: MusterError;
}

/** Playbooks that only look, and need no root. */
const WITHOUT_ROOT = ["gpu", "host", "python"];
/** The playbooks of an inventory that does not exist yet, as `muster init inventory` writes them. */
const DRAFT_PLAYBOOKS = ["python", "gpu"];

/** Reads the inventory, which may have no nodes, or no file, yet. Throws InvalidFileError. */
export function readInventory(file: string): Inventory {
  if (!existsSync(file)) return { ...embeddedInventory(), nodes: [], playbooks: DRAFT_PLAYBOOKS };
  return parseGrowingInventory(readSource(file), resolve(file));
}

/** What all machines of a command are bootstrapped with. `chosen`: the playbooks that they are for. */
interface Turn {
  file: string;
  chosen: readonly NamedPlaybook[];
  options: BootstrapOptions;
  writers: Writers;
}

/** Bootstraps one machine and adds it to the inventory. Its failure is a part of the outcome; only a bug rejects. */
export async function bootstrapInTurn(word: string, request: HostRequest, turn: Turn): Promise<HostOutcome> {
  const { options, writers } = turn;
  const steps: BootstrapStep[] = [];
  const onStep = (step: BootstrapStep) => {
    steps.push(step);
    const isShown = !options.quiet && !options.json && (step.changed || options.verbose);
    if (isShown) writers.err(`${word}: ${step.step}: ${step.detail}`);
  };
  try {
    const node = await makeNode(word, request, turn, onStep);
    const isUnchanged = steps.every(({ changed }) => !changed);
    if (isUnchanged && !options.quiet && !options.json)
      writers.err(`${word}: nothing to do: it takes our key, has what is needed, and is in the inventory as ${node}`);
    return { host: word, node, steps };
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    writers.err(explainUnreached(word, error.node === undefined ? error.message : error.reason, error.next));
    return { host: word, steps, error };
  }
}

async function makeNode(
  word: string,
  request: HostRequest,
  { file, chosen, options, writers }: Turn,
  onStep: (step: BootstrapStep) => void,
): Promise<string> {
  const dialer = new Dialer();
  const inventory = readInventory(file);
  const value = existsSync(file) ? (readSource(file).value as InventoryFile) : undefined;
  const found = await findTarget(dialer, word, request, createUnlistedNode(request, file, value), inventory.nodes);
  const { publicKey, target } = await choosePublicKey(dialer, found, options, (withKey) =>
    createUnlistedNode(withKey, file, value),
  );
  const settings = {
    ...(options.key === undefined ? {} : { key: resolve(options.key) }),
    ...(options.fingerprint === undefined ? {} : { fingerprint: options.fingerprint }),
    acceptNew: options.acceptNew === true,
    publicKey,
    rootPlaybooks: chosen.map(({ name }) => name).filter((name) => !WITHOUT_ROOT.includes(name)),
    mayChangeSudo: options.sudo,
    yes: options.yes === true,
  };
  const facts = await bootstrapHost(dialer, { ...target.node, name: word }, settings, writers, onStep);
  if (target.isListed) {
    onStep({ step: "inventory", changed: false, detail: `${target.node.name} in ${file}` });
    return target.node.name;
  }
  const name = addToInventory(file, target.request, facts, word);
  onStep({ step: "inventory", changed: true, detail: `added as ${name} to ${file}` });
  return name;
}

/**
 * Chooses the key to authorize: the one that is named, else the first with which muster would log in, else the given one, which the
 * inventory then names. Rejects with a MusterError where there is none.
 */
async function choosePublicKey(
  dialer: Dialer,
  target: BootstrapTarget,
  { key, publicKey: file }: BootstrapOptions,
  withIdentity: (request: HostRequest) => BootstrapTarget["node"],
): Promise<{ publicKey: PublicKey; target: BootstrapTarget }> {
  if (file !== undefined) return { publicKey: readPublicKeyFile(file), target };
  const own = await dialer.findPublicKey(target.node);
  if (own !== undefined) return { publicKey: own, target };
  const next = "Create one: ssh-keygen -t ed25519. Or load yours into an agent (ssh-add), or name one with --key.";
  if (key !== undefined && !target.isListed) {
    const request = { ...target.request, identityFile: resolve(key) };
    const node = withIdentity(request);
    const given = await dialer.findPublicKey(node);
    if (given !== undefined) return { publicKey: given, target: { node, request, isListed: false } };
  }
  const named = target.node.identityFile;
  const reason = named === undefined ? "" : `: ${named}, which the inventory names, cannot be used`;
  throw new MusterError("AUTH", `public key: there is no key of ours to authorize${reason}`, { next });
}

/** Adds a node to the file as it is now, and returns the node's name. */
function addToInventory(file: string, request: HostRequest, facts: Facts, word: string): string {
  const host = { request, facts };
  if (!existsSync(file)) {
    replaceInventory(file, formatInventoryDraft([host], findSchema("inventory"), `muster bootstrap ${word}`));
    return nameHost(host, new Set());
  }
  const text = readFileSync(file, "utf8");
  const { nodes } = readInventory(file);
  const name = nameHost(host, new Set(nodes.map((node) => node.name)));
  replaceInventory(file, addNode(text, file, name, host));
  return name;
}
