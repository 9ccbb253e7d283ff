import { isIP } from "node:net";
import type { GpuKind } from "./gpukinds.js";
import { isThisMachine } from "./hostrequest.js";
import { type DiscoveredHost, describeNode, formatNode, formatProfile } from "./nodeentry.js";

const MAX_NAME_CHARS = 100;

/**
 * Returns an inventory with these machines: the profile of each kind of GPU, and each node with its GPUs' PCI addresses. `schema`: the
 * path of the inventory's schema, for editors. `command`: what wrote it. A machine that could not be asked has no profile.
 */
export function formatInventoryDraft(hosts: readonly DiscoveredHost[], schema: string, command: string): string {
  const names = nameHosts(hosts);
  const kinds = new Map<string, GpuKind>();
  const nodes = hosts.flatMap((host, index) => formatNode(describeNode(names[index]!, host, kinds)));
  return [
    `# yaml-language-server: $schema=${schema}`,
    "# The machines that muster uses. docs/reference.md has every key.",
    `# Written by \`${command.replace(/[\p{C}\u2028\u2029]/gu, " ")}\` from what each machine says about itself.`,
    "# See what is there now: muster nodes. Find out why a machine cannot be used: muster doctor.",
    "",
    "defaults:",
    "  host_keys: strict           # a key that known_hosts does not have is refused; accept-new records it once",
    "  grace: 60s                  # how long a node may be silent before its chunks go to others",
    ...(kinds.size === 0
      ? []
      : ["", "profiles:", ...[...kinds].flatMap(([name, kind]) => formatProfile(name, kind)).map(indent)]),
    "",
    "nodes:",
    ...nodes.map(indent),
    "",
    "# What `muster provision` and `muster verify` look at where none is named.",
    `playbooks: [${kinds.size === 0 ? "python" : "python, gpu"}]`,
    "",
  ].join("\n");
}

/** Returns a name for each machine: its alias, or what it calls itself where it is reached at an address. */
function nameHosts(hosts: readonly DiscoveredHost[]): string[] {
  const taken = new Set<string>();
  return hosts.map((host) => {
    const name = nameHost(host, taken);
    taken.add(name);
    return name;
  });
}

/** Returns a name for a machine that is not among `taken`: its alias, or what it calls itself where it is reached at an address. */
export function nameHost(host: DiscoveredHost, taken: ReadonlySet<string>): string {
  const { request } = host;
  if (request.name !== undefined) return request.name;
  const own = "facts" in host ? host.facts.hostname.split(".")[0]! : "";
  const wanted = own !== "" && (isThisMachine(request) || isIP(request.host) !== 0) ? own : request.host;
  const base =
    wanted
      .replace(/[^A-Za-z0-9_.-]/g, "-")
      .replace(/^[.-]+/, "")
      .slice(0, MAX_NAME_CHARS - 4) || "node";
  let name = base;
  for (let count = 2; taken.has(name); count++) name = `${base}-${count}`;
  return name;
}

function indent(line: string): string {
  return `  ${line}`;
}
