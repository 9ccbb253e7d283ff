import { readFileSync } from "node:fs";
import { gatherAllFacts, type NodeFacts } from "../fleet/allfacts.js";
import { parseClusterFile } from "../fleet/discovery/clusterfile.js";
import { type HostRequest, isThisMachine, parseHostRequest } from "../fleet/discovery/hostrequest.js";
import { formatInventoryDraft } from "../fleet/discovery/inventorydraft.js";
import type { DiscoveredHost } from "../fleet/discovery/nodeentry.js";
import { listSshHosts } from "../fleet/discovery/sshhosts.js";
import { parseInventory } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { quote } from "../fleet/quote.js";
import { formatNodeLine } from "../report/nodestable.js";
import type { Writers } from "../report/writers.js";
import { MusterError, UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { parseSource } from "../schemas/parsesource.js";
import { describeSystemError } from "../schemas/systemerror.js";
import { findSchema } from "../templates/starters.js";
import { explainUnreached } from "./explainunreached.js";
import type { CommonOptions } from "./options.js";
import { ask, canAsk } from "./question.js";
import { withProgress } from "./withprogress.js";

export interface DraftOptions extends CommonOptions {
  /** A `distributed_config.json` whose machines to take. */
  from?: string;
}

const MAX_LISTED_HOSTS = 20;

/**
 * Asks the machines that are named, or those that a person at the terminal names, for their hardware, and returns the text of an inventory
 * with them. `unreached`: how many could not be asked. Throws MusterError where none could.
 */
export async function draftInventory(
  words: string[],
  options: DraftOptions,
  writers: Writers,
): Promise<{ text: string; unreached: number }> {
  const fromFile = options.from === undefined ? [] : readClusterFile(options.from);
  const asked = words.length === 0 && fromFile.length === 0 ? await askForHosts(writers) : words;
  const requests = [...fromFile, ...asked.map(parseHostRequest)];
  const nodes = requests.map(toNode);
  const looks = await withProgress(nodes, options, writers, (done) =>
    gatherAllFacts(
      nodes,
      async () => [],
      (look) => done(look.node, formatNodeLine(look)),
    ),
  );
  const hosts = looks.map((look, index) => toDiscoveredHost(requests[index]!, look));
  const failed = looks.flatMap((look) => ("error" in look ? [look] : []));
  if (failed.length === looks.length) throw explainNone(failed);
  for (const { node, error } of failed)
    writers.err(explainUnreached(node.name, `could not be asked: ${error.textFor(node.name)}`, error.next));
  const command = [
    "muster init inventory",
    ...(options.from ? ["--from", quote(options.from)] : []),
    ...asked.map(quote),
  ];
  return { text: formatInventoryDraft(hosts, findSchema("inventory"), command.join(" ")), unreached: failed.length };
}

function readClusterFile(file: string): HostRequest[] {
  try {
    return parseClusterFile(readFileSync(file, "utf8"), file);
  } catch (error) {
    const refusal = describeSystemError(error);
    if (refusal === undefined) throw error;
    throw new MusterError("INVALID_FILE", `${file} ${refusal.reason}`, { next: refusal.hint });
  }
}

/** Asks which hosts to use, on a terminal. Throws UsageError elsewhere, and where nothing is named. */
async function askForHosts(writers: Writers): Promise<string[]> {
  const known = listSshHosts();
  const shown = known.slice(0, MAX_LISTED_HOSTS).join(" ");
  const listed = known.length > MAX_LISTED_HOSTS ? `${shown} ... (${known.length})` : shown;
  const example =
    known.length === 0 ? "For example: muster init inventory me@10.0.0.4 rig2" : `~/.ssh/config has: ${listed}`;
  if (!canAsk()) throw new UsageError("init inventory: no hosts are named", example);
  if (known.length > 0) writers.err(`hosts of ~/.ssh/config: ${listed}`);
  const answer = await ask("hosts ([USER@]HOST[:PORT] or localhost), separated by spaces: ");
  if (answer === undefined) writers.err("");
  const words = (answer ?? "").split(/[\s,]+/).filter(Boolean);
  if (words.length === 0) throw new UsageError("init inventory: no hosts are named", example);
  return words;
}

/** A node with nothing but what is needed to reach it. */
function toNode(request: HostRequest, index: number): Node {
  const { host, user, port, python } = request;
  const reach = isThisMachine(request) ? { connection: "local" } : { host, user, port };
  const text = formatJson({ nodes: { [`host${index}`]: { ...reach, python } } });
  const [node] = parseInventory(parseSource("inventory.yaml", text), "inventory.yaml").nodes;
  return { ...node!, name: host };
}

function toDiscoveredHost(request: HostRequest, look: NodeFacts): DiscoveredHost {
  return "error" in look ? { request, reason: look.error.textFor(look.node.name) } : { request, facts: look.facts };
}

function explainNone(failed: { node: Node; error: MusterError }[]): MusterError {
  const { node, error } = failed[0]!;
  if (failed.length === 1) return error;
  const reason = `no machine could be asked; ${node.name}: ${error.textFor(node.name)}`;
  return new MusterError("NO_NODE", reason, { next: error.next });
}
