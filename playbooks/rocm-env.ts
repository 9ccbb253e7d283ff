import type { Node } from "../fleet/node.js";
import { quote } from "../fleet/quote.js";
import { fileResource } from "./engine/fileresource.js";
import type { PlaybookContext, Resource } from "./engine/resource.js";

const PROFILE_FILE = "/etc/profile.d/muster-rocm.sh";
const ENVIRONMENT_FILE = "/etc/environment.d/90-muster-rocm.conf";

/**
 * Writes the environment of the node's profile to files for interactive use: login shells read the first, a user's systemd services the
 * second. Chunks do not depend on them: the executor sets the same variables from the inventory for each chunk.
 */
export default function* rocmEnv({ node }: PlaybookContext): Generator<Resource> {
  const variables = Object.entries(mergeEnvironments(node));
  if (variables.length === 0) return;
  yield fileResource({
    path: PROFILE_FILE,
    content: formatProfile(variables),
    mode: 0o644,
    owner: "root:root",
    become: true,
  });
  yield fileResource({
    path: ENVIRONMENT_FILE,
    content: formatEnvironment(variables),
    mode: 0o644,
    owner: "root:root",
    become: true,
  });
}

/** Returns the environment of a node with that of its kinds of GPU, without variables that these disagree about. */
function mergeEnvironments({ env, gpuGroups = [] }: Node): Record<string, string> {
  const all = [env, ...gpuGroups.map((group) => group.env)].flatMap((one) => Object.entries(one));
  const own = gpuGroups.flatMap((group) => Object.entries(group.env));
  const isAgreed = ([name, value]: [string, string]) =>
    own.every(([other, theirs]) => other !== name || theirs === value);
  return Object.fromEntries(all.filter(isAgreed));
}

const FILE_HEADER = "# Written by `muster provision`, from the inventory; a change here is undone by the next one.\n";

/** Formats the variables for any POSIX shell. */
export function formatProfile(variables: [string, string][]): string {
  return FILE_HEADER + variables.map(([name, value]) => `export ${name}=${quote(value)}\n`).join("");
}

/** Formats the variables for environment.d(5): \\ and " are escaped in double quotes, and a literal $ is doubled. */
export function formatEnvironment(variables: [string, string][]): string {
  return FILE_HEADER + variables.map(([name, value]) => `${name}="${escapeValue(value)}"\n`).join("");
}

function escapeValue(value: string): string {
  return value.replace(/[\\"`]/g, "\\$&").replaceAll("$", "$$$$");
}
