import { type HostRequest, isThisMachine, parseHostRequest } from "../fleet/discovery/hostrequest.js";
import { loadInventory } from "../fleet/inventory.js";
import { verifyNode } from "../playbooks/engine/provisionnode.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { type BootstrapOptions, bootstrapInTurn, type HostOutcome, readInventory } from "./bootstrapinturn.js";
import { chooseInventoryFile, requireWritable } from "./inventoryfile.js";
import { exitStatusOfReports, loadRequestedPlaybooks, reportOnNodes } from "./playbooks.js";

/** `muster bootstrap HOST...`: makes machines that have only sshd nodes of the inventory, one after the other. Returns the exit status. */
export async function bootstrap(words: string[], options: BootstrapOptions, writers: Writers): Promise<number> {
  const requests = words.map((word) => parseRequest(word, words.length, options));
  const file = chooseInventoryFile(options.inventory, process.env);
  requireWritable(file);
  const names = options.playbooks?.split(",").filter((name) => name !== "") ?? [];
  const before = readInventory(file);
  const chosen =
    names.length > 0 || before.playbooks.length > 0
      ? await loadRequestedPlaybooks(names, before, { ...options, quiet: true }, writers)
      : [];
  const outcomes: HostOutcome[] = [];
  for (const [index, word] of words.entries())
    outcomes.push(await bootstrapInTurn(word, requests[index]!, { file, chosen, options, writers }));
  const verified = await verifyReady(file, outcomes, names, options, writers);
  return exitStatusOf(outcomes, verified);
}

function parseRequest(word: string, count: number, options: BootstrapOptions): HostRequest {
  const request = parseHostRequest(word);
  if (isThisMachine(request))
    throw new UsageError(
      "bootstrap: this machine needs no first contact",
      "Add it to the inventory: `nodes: {here: {connection: local}}`, or run muster init inventory localhost",
    );
  for (const option of ["fingerprint", "name"] as const)
    if (options[option] !== undefined && count > 1)
      throw new UsageError(`bootstrap: --${option} is for one host`, "Run the command once for each host.");
  if (options.fingerprint !== undefined && !/^SHA256:[A-Za-z0-9+/]{43}$/.test(options.fingerprint))
    throw new UsageError(
      `--fingerprint ${options.fingerprint}: it must be SHA256: and 43 characters`,
      "Run `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the machine: it is the second word.",
    );
  if (options.name !== undefined && !/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/.test(options.name))
    throw new UsageError(`--name ${options.name}: a node's name has letters, digits, _ . and - only`);
  return { ...request, ...(options.name === undefined ? {} : { name: options.name }) };
}

/** Verifies the nodes that are ready, and prints the document of the command. undefined: there is none, or no playbook to verify. */
async function verifyReady(
  file: string,
  outcomes: readonly HostOutcome[],
  names: string[],
  options: BootstrapOptions,
  writers: Writers,
): Promise<number | undefined> {
  const ready = new Set(
    outcomes.flatMap(({ node, error }) => (error === undefined && node !== undefined ? [node] : [])),
  );
  const document = { hosts: outcomes.map(toDocument) };
  const inventory = ready.size === 0 ? undefined : loadInventory(file);
  if (inventory === undefined || (names.length === 0 && inventory.playbooks.length === 0)) {
    if (options.json) writers.out(formatJson({ ...document, nodes: [] }, 2));
    return undefined;
  }
  const playbooks = await loadRequestedPlaybooks(names, inventory, options, writers);
  const nodes = inventory.nodes.filter(({ name }) => ready.has(name));
  const verify = (connection: Parameters<typeof verifyNode>[0]) =>
    verifyNode(connection, undefined, playbooks, inventory);
  const reports = await reportOnNodes(nodes, verify, options, writers, document);
  const exit = exitStatusOfReports(reports, 2);
  if (exit === 2 && !options.quiet && !options.json)
    writers.err(`next: muster provision --limit ${[...ready].join(",")}`);
  return exit;
}

function toDocument({ host, node, steps, error }: HostOutcome) {
  const failed = error && { code: error.code, reason: error.reason, next: error.next ?? null };
  return { host, node: node ?? null, state: error === undefined ? "ready" : "failed", steps, error: failed ?? null };
}

/** Where all machines have failed for one kind of reason, its status. */
function exitStatusOf(outcomes: readonly HostOutcome[], verified: number | undefined): number {
  const failed = outcomes.flatMap(({ error }) => error?.exitStatus ?? []);
  if (failed.length === 0) return verified ?? 0;
  if (failed.length < outcomes.length) return 3;
  return new Set(failed).size === 1 ? failed[0]! : 69;
}
