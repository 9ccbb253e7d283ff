import { statSync } from "node:fs";
import { join, normalize } from "node:path";
import type { Inventory } from "../../fleet/inventory.js";
import { encodeName, shorten } from "./ids.js";
import type { StagedFile, Work } from "./job.js";
import { Claims, plainOutputs } from "./outputs.js";
import { type Path, type Reader, standingAt, type Written } from "./reader.js";
import { type Recipe, readRoute } from "./route.js";
import { seconds } from "./settings.js";
import type { Space } from "./space.js";
import { TaskList } from "./tasklist.js";
import { Ids, readRank } from "./tasks.js";
import { checkArgument, checkOverlap, distinct, Memory, readEnv, readScript } from "./work.js";

/** A jobs file of the Python coordinators, as it is: nothing in it is a placeholder. `env`: what its own `env` is added to. */
export function jobsFileSpace(reader: Reader, inventory: Inventory, env: Record<string, string>): Space {
  const memory = new Memory();
  const ids = new Ids(reader);
  const claims = new Claims();
  const files = new Files(reader);
  const shared = { env: { ...env, ...readEnv(reader, ["env"]) }, timeout: seconds(reader, ["timeout"]) };
  const tasks = new TaskList();
  for (const [index, path] of reader.items(["jobs"]).entries()) {
    const id = readId(reader, path, index);
    ids.add(id, reader.has([...path, "job_id"]) ? [...path, "job_id"] : path);
    const recipe = readRecipe(reader, path, id, inventory, memory);
    if (recipe === undefined) continue;
    const work = { ...workOf(reader, path, recipe, files), ...shared };
    claims.claim(reader, id, work.outputs, () => reader.source.at([...path, "args"]));
    tasks.add({ id, work, gpu: reader.number([...path, "gpu_id"]), ...readRank(reader, path) });
  }
  return tasks.space();
}

/** The job's own script where it names one, else what the inventory routes its type to. */
function readRecipe(reader: Reader, path: Path, id: string, inventory: Inventory, memory: Memory): Recipe | undefined {
  const script = reader.written([...path, "script"]);
  if (script === undefined) return readRoute(reader, path, id, inventory, memory);
  const program = readScript(reader, script, memory, `jobs[${path[1]}].script`);
  return program === undefined ? undefined : { program, args: [], inputs: [] };
}

function workOf(reader: Reader, path: Path, recipe: Recipe, files: Files): Omit<Work, "env"> {
  const what = `jobs[${path[1]}].args`;
  const own = reader.list([...path, "args"]) ?? [];
  for (const [index, arg] of own.entries()) checkArgument(reader, arg, `${what}[${index}]`);
  const texts = [...recipe.args.map(({ written }) => written), ...own];
  const declared = recipe.outputs ?? outputsOf(texts);
  const outputs = plainOutputs(reader, declared, what);
  const inputs = [...recipe.inputs, ...files.named(texts.filter((arg) => !declared.includes(arg)))];
  const program = recipe.program;
  checkOverlap(reader, [...path, "args"], `jobs[${path[1]}]`, { program, inputs, outputs });
  const args = [...recipe.args.map(({ template }) => template), ...own.map(({ text }) => [text])];
  return { program, args, inputs: distinct(inputs, program), outputs };
}

/** What follows `--output`, or stands after it and a `=`. */
export function outputsOf(args: Written[]): Written[] {
  return args.flatMap((arg, index) => {
    if (arg.text.startsWith("--output=")) return standingAt(arg, arg.text.slice("--output=".length));
    return index > 0 && args[index - 1]!.text === "--output" ? arg : [];
  });
}

/** The files beside the jobs file that args name; each text is looked up once. */
class Files {
  readonly #reader: Reader;
  readonly #known = new Map<string, StagedFile | "outside" | undefined>();

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  named(args: Written[]): StagedFile[] {
    return args.flatMap((arg) => {
      if (arg.text.startsWith("--output=")) return [];
      const name = /^--?[A-Za-z][\w-]*=(.+)$/s.exec(arg.text)?.[1] ?? arg.text;
      const found = this.#find(name);
      if (found !== "outside") return found ?? [];
      const message = `"${name}" is a file outside the folder of the jobs file, so it cannot be staged`;
      this.#reader.note(arg.place, message, `move it, or the jobs file, so that it lies below ${this.#reader.folder}`);
      return [];
    });
  }

  #find(name: string): StagedFile | "outside" | undefined {
    const fed = this.#reader.feeds.find(name);
    if (fed?.ok && fed.files.length === 1) return fed.files[0];
    if (this.#known.has(name)) return this.#known.get(name);
    const found = this.#look(name);
    this.#known.set(name, found);
    return found;
  }

  #look(name: string): StagedFile | "outside" | undefined {
    // An absolute path is one of the node: it is passed on as it is.
    if (name === "" || name.startsWith("/") || name.length > 4000 || name.includes("\0")) return undefined;
    const source = join(this.#reader.folder, name);
    const bytes = sizeOf(source);
    if (bytes === undefined) return undefined;
    const path = normalize(name);
    return path.startsWith("../") ? "outside" : { source, path, bytes };
  }
}

/** Of a file; undefined where there is none. */
function sizeOf(path: string): number | undefined {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat?.isFile() ? stat.size : undefined;
  } catch {
    return undefined;
  }
}

/** `job_id` made safe for file names, or the number of the job. */
function readId(reader: Reader, path: Path, index: number): string {
  const given = reader.text([...path, "job_id"]) ?? "";
  return given === "" ? `job-${index + 1}` : shorten(encodeName(given), BigInt(index));
}
