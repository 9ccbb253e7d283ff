import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of this module's package.json: what is not TypeScript lies there and not in dist/. */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

/** Where the agent's entry point lies here. */
export function agentFile(): string {
  return join(projectRoot(), "templates", "agent.py");
}

/** The folder of the agent's parts, beside its entry point. */
const PARTS = "muster_agent";

/** The agent's files: the path of each below the folder that it gets on a node, and where it lies here (absolute). */
export function agentFiles(): { path: string; source: string }[] {
  const parts = readdirSync(join(projectRoot(), "templates", PARTS)).filter((name) => name.endsWith(".py"));
  return ["agent.py", ...parts.sort().map((name) => `${PARTS}/${name}`)].map((path) => ({
    path,
    source: join(projectRoot(), "templates", path),
  }));
}

/** The source text of the program that looks at a node; it is never stored there. */
export function factsSource(): string {
  return readFileSync(join(projectRoot(), "templates", "facts.py"), "utf8");
}

/** The program that answers these questions about a node, for python's stdin; it is never stored there. */
export function probeProgram(questions: unknown[]): string {
  const source = readFileSync(join(projectRoot(), "templates", "probe.py"));
  const packed = [source, Buffer.from(JSON.stringify(questions))].map((part) => part.toString("base64"));
  return [
    "import base64",
    `names = {"__name__": "muster", "SOURCE": base64.b64decode("${packed[0]}"), "QUESTIONS": base64.b64decode("${packed[1]}")}`,
    `exec(compile(names["SOURCE"], "probe.py", "exec"), names)`,
    `names["main"]()`,
    "",
  ].join("\n");
}

/** The source text of the program that puts a file or folder in its place on a node; it is never stored there. */
export function placeSource(): string {
  return readFileSync(join(projectRoot(), "templates", "place.py"), "utf8");
}

/** The source text of the program that holds the lock of a node; it is never stored there. */
export function holdSource(): string {
  return readFileSync(join(projectRoot(), "templates", "hold.py"), "utf8");
}
