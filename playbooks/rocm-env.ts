import { quote } from "../fleet/quote.js";
import { fileResource } from "./engine/file.js";
import type { Resource, Subject } from "./engine/resource.js";

const SHELL = "/etc/profile.d/muster-rocm.sh";
const SESSION = "/etc/environment.d/90-muster-rocm.conf";

/**
 * The environment of the node's profile as files for people: login shells read the first, what systemd starts for a user the second.
 * Chunks do not depend on them: the executor sets the same variables, from the same place in the inventory, before each one begins.
 */
export default function* rocmEnv({ node }: Subject): Generator<Resource> {
  const variables = Object.entries(node.env);
  if (variables.length === 0) return;
  yield fileResource({ path: SHELL, content: shellText(variables), mode: 0o644, owner: "root:root", become: true });
  yield fileResource({ path: SESSION, content: sessionText(variables), mode: 0o644, owner: "root:root", become: true });
}

const HEAD = "# Written by `muster provision`, from the inventory; a change here is undone by the next one.\n";

/** Lines that any POSIX shell reads. */
export function shellText(variables: [string, string][]): string {
  return HEAD + variables.map(([name, value]) => `export ${name}=${quote(value)}\n`).join("");
}

/** Lines as environment.d(5) reads them: in double quotes \\ and " are escaped, and a $ that is meant is doubled. */
export function sessionText(variables: [string, string][]): string {
  return HEAD + variables.map(([name, value]) => `${name}="${escaped(value)}"\n`).join("");
}

function escaped(value: string): string {
  return value.replace(/[\\"`]/g, "\\$&").replaceAll("$", "$$$$");
}
