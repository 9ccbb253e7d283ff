import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of this module's package.json: what is not TypeScript lies there and not in dist/. */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

/** Where the agent lies here; it is staged to nodes by the SHA-256 of its content. */
export function agentFile(): string {
  return join(projectRoot(), "templates", "agent.py");
}

/** The agent's source text. */
export function agentSource(): string {
  return readFileSync(agentFile(), "utf8");
}

/** The source text of the program that looks at a node; it is never stored there. */
export function factsSource(): string {
  return readFileSync(join(projectRoot(), "templates", "facts.py"), "utf8");
}
