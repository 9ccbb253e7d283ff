import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateSync } from "node:zlib";

/** The folder of this module's package.json: what is not TypeScript lies there and not in dist/. */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

/** A program that is sent to a node and run there without being stored. */
export interface NodeProgram {
  /** What follows the name of the python. */
  args: string[];
  /** The first bytes of its stdin; what comes after them is for the program. */
  stdin: Buffer;
}

/** Reads the program off stdin, not a byte more, and runs it. */
const LOADER = `import os, zlib
left, parts = SIZE, []
while left:
    parts.append(os.read(0, left) or os._exit(1))
    left -= len(parts[-1])
exec(zlib.decompress(b"".join(parts)))`;

/** The folder of the agent's parts, beside its entry point. */
const AGENT_PACKAGE = "muster_agent";

/** The agent. Its last argument is the run's folder on the node; `~` at its front is the user's home there. */
export function agentProgram(): NodeProgram {
  const folder = join(projectRoot(), "templates");
  const modules = readdirSync(join(folder, AGENT_PACKAGE)).filter((name) => name.endsWith(".py"));
  const parts = modules.map((name) => [moduleName(name), readFileSync(join(folder, AGENT_PACKAGE, name), "utf8")]);
  const literal = JSON.stringify(JSON.stringify(Object.fromEntries(parts)));
  const entry = readFileSync(join(folder, "agent.py"), "utf8");
  const stdin = deflateSync(`import json\nPARTS = json.loads(${literal})\n${entry}`);
  // Isolated, and without site: neither the node's settings for python nor its site-packages are any business of the agent.
  return { args: ["-IS", "-c", LOADER.replace("SIZE", `${stdin.length}`), "attach"], stdin };
}

/** The same program, told to end the processes of a run that its agent cannot end any more (executor/run/node/strays.ts). */
export function cleanProgram({ args: words, stdin }: NodeProgram): NodeProgram {
  return { args: [...words.slice(0, -1), "clean"], stdin };
}

function moduleName(file: string): string {
  return file === "__init__.py" ? AGENT_PACKAGE : `${AGENT_PACKAGE}.${file.slice(0, -".py".length)}`;
}

/** The source text of the program that looks at a node; it is never stored there. */
export function factsSource(): string {
  return readFileSync(join(projectRoot(), "templates", "facts.py"), "utf8");
}

/** The program that answers these questions about a node, for python's stdin; it is never stored there. */
export function probeProgram(questions: unknown[]): string {
  const read = (name: string) => readFileSync(join(projectRoot(), "templates", name));
  const texts = {
    SOURCE: read("probe.py"),
    MODULES: read("modules.py"),
    ACCESS: read(join(AGENT_PACKAGE, "access.py")),
    QUESTIONS: Buffer.from(JSON.stringify(questions)),
  };
  const packed = Object.entries(texts).map(([name, text]) => [name, text.toString("base64")]);
  return [
    "import base64",
    `names = {name: base64.b64decode(text) for name, text in ${JSON.stringify(Object.fromEntries(packed))}.items()}`,
    `names["__name__"] = "muster"`,
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
export function nodeLockSource(): string {
  return readFileSync(join(projectRoot(), "templates", "hold.py"), "utf8");
}
