import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { buildFolder, projectRoot } from "./programfolder.js";

/** A Python program that is sent to a node and runs there without being stored. */
export interface NodeProgram {
  /** The arguments after the name of the interpreter. */
  readonly args: readonly string[];
  /** The first bytes of its stdin. What follows them is for the program. */
  readonly stdin: Buffer;
}

/** Reads a program of SIZE bytes from stdin, not a byte more, and runs it. */
const LOADER = `import os, zlib
left, parts = SIZE, []
while left:
    parts.append(os.read(0, left) or os._exit(1))
    left -= len(parts[-1])
exec(zlib.decompress(b"".join(parts)))`;

const AGENT_PACKAGE = "muster_agent";

/** The agent, without its last argument: the run's folder on the node, absolute or in `~`, the user's home there. */
export function agentProgram(): NodeProgram {
  const stdin = readFileSync(packedAgentFile());
  // -I and -S: the node's PYTHON* variables and site-packages must not affect the agent.
  return { args: ["-IS", "-c", loaderOf(stdin), "attach"], stdin };
}

function loaderOf(program: Buffer): string {
  return LOADER.replace("SIZE", `${program.length}`);
}

/** Packs the agent as `agentProgram` sends it. This is part of the build: it would be a fifth of the start of a run. */
export function writePackedAgent(): void {
  const folder = join(projectRoot(), "templates", AGENT_PACKAGE);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".py"));
  const modules = files.sort().map((name) => [moduleName(name), readFileSync(join(folder, name), "utf8")]);
  modules.push(["muster", readProgram("worker/muster.py")]);
  const literal = JSON.stringify(JSON.stringify(Object.fromEntries(modules)));
  const source = `import json\nPARTS = json.loads(${literal})\n${readProgram("agent.py")}`;
  writeFileSync(packedAgentFile(), deflateSync(source));
}

function packedAgentFile(): string {
  return join(buildFolder(), "templates", "agent.z");
}

/**
 * The same program, but it never starts an agent: it waits for that of an allocation, which is the batch script
 * (fleet/slurm/batchscript.ts). A process that a step of Slurm leaves behind ends with the step.
 */
export function joinProgram({ args, stdin }: NodeProgram): NodeProgram {
  return { args: [...args.slice(0, -1), "join"], stdin };
}

/** The same program, but it ends the processes of a run that its agent no longer can (executor/run/node/strays.ts). */
export function cleanProgram({ args, stdin }: NodeProgram): NodeProgram {
  return { args: [...args.slice(0, -1), "clean"], stdin };
}

/** The same program, but it sends what attempts print (executor/run/follow/nodefollower.ts). */
export function followProgram({ args, stdin }: NodeProgram): NodeProgram {
  return { args: [...args.slice(0, -1), "follow"], stdin };
}

/** The same program, but it shows or prunes the cache of a node (executor/run/node/cachereport.ts). */
export function cacheProgram({ args, stdin }: NodeProgram): NodeProgram {
  return { args: [...args.slice(0, -1), "cache"], stdin };
}

/** The same program, but it prints how busy the GPUs of a node are, every `seconds` (fleet/gpus/sampledfleet.ts). */
export function samplesProgram({ args, stdin }: NodeProgram, seconds: number): NodeProgram {
  return { args: [...args.slice(0, -1), "samples", `${seconds}`], stdin };
}

const RELAY_PACKAGE = "muster_relay";
/** The modules of the relay, in the order of their imports. */
const RELAY_MODULES = ["frames", "programs", "files", "allocation", "main"];

/** Runs modules of which none is a file: each is in sys.modules when a later one imports it. */
const RELAY_LOADER = `import json, sys, types
for name, text in [["${RELAY_PACKAGE}", ""]] + json.loads(PARTS):
    module = sys.modules[name] = types.ModuleType(name)
    module.__dict__.update(__package__="${RELAY_PACKAGE}", __path__=[])
    exec(compile(text, name + ".py", "exec"), module.__dict__)
sys.modules["${RELAY_PACKAGE}.main"].main()`;

/**
 * The program over whose stdin and stdout programs and files of a machine are reached (fleet/relay/relayconnection.ts). `job`: the
 * allocation of Slurm whose environment it takes, where no step of it starts the program.
 */
export function relayProgram(job?: string): NodeProgram {
  const parts = RELAY_MODULES.map((name) => [
    `${RELAY_PACKAGE}.${name}`,
    readProgram(join(RELAY_PACKAGE, `${name}.py`)),
  ]);
  const stdin = deflateSync(RELAY_LOADER.replace("PARTS", () => JSON.stringify(JSON.stringify(parts))));
  return { args: ["-IS", "-c", loaderOf(stdin), "relay", ...(job === undefined ? [] : ["--job", job])], stdin };
}

/** attempts/slots.py -> muster_agent.attempts.slots */
function moduleName(file: string): string {
  return join(AGENT_PACKAGE, file)
    .replace(/(\/__init__)?\.py$/, "")
    .replaceAll("/", ".");
}

/** The source of the program that prints facts about a node. */
export function factsSource(): string {
  return readProgram("facts.py");
}

/** The source of the program that prints the state of a unit of systemd. */
export function unitStateSource(): string {
  return readProgram("unit_state.py");
}

/** Runs probe.py with the given texts. It gets this text, too: its child that runs as root starts in the same way. */
const PROBE_LOADER = `import base64
names = {name: base64.b64decode(text) for name, text in TEXTS.items()}
names["__name__"] = "muster"
exec(compile(names["SOURCE"], "probe.py", "exec"), names)
names["main"]()
`;

/** The stdin of a Python that answers these questions about a node (playbooks/engine/resource.ts). */
export function probeProgram(questions: unknown[]): string {
  const texts = {
    LOADER: PROBE_LOADER,
    SOURCE: readProgram("probe.py"),
    MODULES: readProgram("python_modules.py"),
    ACCESS: readProgram(join(AGENT_PACKAGE, "access/path_access.py")),
    QUESTIONS: JSON.stringify(questions),
  };
  const packed = Object.entries(texts).map(([name, text]) => [name, Buffer.from(text).toString("base64")]);
  return PROBE_LOADER.replace("TEXTS", () => JSON.stringify(Object.fromEntries(packed)));
}

/** The source of the program that finds syntax errors in Python files. */
export function checkSyntaxSource(): string {
  return readProgram("check_syntax.py");
}

/** The source of the program that writes a file, or makes a folder, on a node. */
export function placeSource(): string {
  return readProgram("place.py");
}

/** The modules of the program that makes Python environments, in the order of their imports. */
const ENV_MODULES = ["failure", "files", "tools", "environment", "installer", "builder", "main"];
const ENV_PACKAGE = "muster_env";

/** Runs modules of which none is a file: each is in sys.modules when a later one imports it. */
const ENV_LOADER = `import base64, json, sys, types, zlib
parts = json.loads(zlib.decompress(base64.b64decode("PARTS")))
for name, text in parts:
    module = sys.modules[name] = types.ModuleType(name)
    module.__dict__.update(__package__="${ENV_PACKAGE}", __path__=[], PACKAGES=parts[0][1])
    name == parts[0][0] or exec(compile(text, name + ".py", "exec"), module.__dict__)
sys.modules["${ENV_PACKAGE}.main"].main(sys.argv[1:])`;

/** The source of the program that looks at Python environments and makes them (templates/muster_env/main.py). */
export function envSource(): string {
  const read = (name: string) => readProgram(join(ENV_PACKAGE, `${name}.py`));
  const parts = [[ENV_PACKAGE, read("packages")], ...ENV_MODULES.map((name) => [`${ENV_PACKAGE}.${name}`, read(name)])];
  return ENV_LOADER.replace("PARTS", deflateSync(JSON.stringify(parts)).toString("base64"));
}

/** The source of the program that reads and changes the settings of GPUs. */
export function gpuStepsSource(): string {
  return readProgram("gpu_steps.py");
}

/** The source of the program that changes power limits for a while. Its first argument is `gpuStepsSource()`. */
export function gpuLimitsSource(): string {
  return readProgram("gpu_limits.py");
}

/** The source of the program that prints who would lose work if the node were rebooted (fleet/healing/bystanders.ts). */
export function bystandersSource(): string {
  return readProgram("bystanders.py");
}

/** The source of the program that holds the lock of a node. */
export function nodeLockSource(): string {
  return readProgram("node_lock.py");
}

function readProgram(name: string): string {
  return readFileSync(join(projectRoot(), "templates", name), "utf8");
}

/** The folder of the program of the built-in load of `muster bench`. */
export function loadProgramFolder(): string {
  return join(projectRoot(), "templates", "load");
}

/** What the built-in load must compute. */
export function loadDigest(): string {
  return /^KNOWN_DIGEST = "([0-9a-f]+)"$/m.exec(readProgram("load/mix.py"))![1]!;
}
