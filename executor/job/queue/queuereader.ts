import { checkSchema } from "../../../schemas/checkschema.js";
import type { Source } from "../../../schemas/source.js";
import { createInvalidFileError } from "../../../schemas/violations.js";
import type { Params, StagedFile } from "../chunk.js";
import { listStagedFiles, specIdentity } from "../chunkspec.js";
import { readSeveralGpus } from "../gpucounts.js";
import { readSeconds } from "../jobsettings.js";
import { fillParams, readOwnParams, toTexts } from "../params.js";
import { JobReader, type KeyPath } from "../reader.js";
import { finishSpec, LoadCache, type Placeholders, readSpecDraft, type SpecDraft, toChunkSpec } from "../specreader.js";
import { IdRegistry, readTaskId } from "../tasks.js";
import type { UnitSpace } from "../unitspace.js";
import type { TaskDefinition } from "./jobqueue.js";
import { QueuedTasks } from "./queuedtasks.js";

/** Reads a queue. `base`: what tasks inherit, with its parameters unfilled. */
export function readQueue(reader: JobReader, base: SpecDraft, placeholders: Placeholders, cache: LoadCache): UnitSpace {
  const params = readOwnParams(reader, [], reader.keys(["params"]));
  const batches = new BatchReader(reader.folder, base, placeholders, cache, params);
  const queue = new QueuedTasks({
    base,
    params,
    expectedSeconds: readSeconds(reader, ["expect"]),
    idleSeconds: readSeconds(reader, ["idle"]),
    read: (source) => batches.read(source),
  });
  const program = base.program;
  const specs = program === undefined ? [] : [toChunkSpec({ ...base, args: fillParams(base.args, params) }, program)];
  return {
    first: 0n,
    get units() {
      return queue.units;
    },
    queue,
    outputs: [base],
    // Tasks are no part of it: they may come after the run has begun.
    identity: specs.length === 0 ? {} : specIdentity(toChunkSpec(base, program!)),
    chunk: queue.space.chunk,
    unitsOf: queue.space.unitsOf,
    specs,
    stagedFiles: () => listStagedFiles(specs),
  };
}

/** Reads batches of tasks, each with the files as they are now. */
class BatchReader {
  constructor(
    private readonly folder: string,
    private readonly base: SpecDraft,
    private readonly placeholders: Placeholders,
    private readonly cache: LoadCache,
    private readonly params: Params,
  ) {}

  read(source: Source): TaskDefinition[] {
    const problems = checkSchema(source, "job");
    if (problems.length > 0) throw createInvalidFileError(problems);
    const reader = new JobReader(source, this.folder);
    const { projectRoot, directory, outputScope, published } = this.cache;
    const cache = new LoadCache(projectRoot, directory, outputScope, published);
    const ids = new IdRegistry(reader);
    const tasks = reader.items(["tasks"]).flatMap((path) => this.#readTask(reader, path, ids, cache) ?? []);
    if (reader.problems.length > 0) throw createInvalidFileError(reader.problems);
    return tasks;
  }

  #readTask(reader: JobReader, path: KeyPath, ids: IdRegistry, cache: LoadCache): TaskDefinition | undefined {
    const { base, placeholders } = this;
    const id = readTaskId(reader, [...path, "id"]);
    if (id !== undefined) ids.add(id, [...path, "id"]);
    const own = readOwnParams(reader, path, Object.keys(this.params));
    const filling = { known: placeholders.known, params: toTexts({ ...this.params, ...own }) };
    const draft = readSpecDraft(reader, path, filling, cache, base);
    this.#reportUnsupported(reader, path);
    const spec = finishSpec(reader, path, draft);
    if (spec === undefined || id === undefined) return undefined;
    const hasProgram = draft.program !== base.program;
    const inherited = new Set<StagedFile>(base.inputs);
    const inputs = draft.inputs.filter((file) => !inherited.has(file));
    const has = (key: string) => reader.has([...path, key]);
    const { outputs, takesStdout, found, appended } = draft;
    return {
      id,
      ...(Object.keys(own).length === 0 ? {} : { params: own }),
      ...(hasProgram ? { program: draft.program!, words: draft.words, args: draft.args } : {}),
      ...(!hasProgram && has("args") ? { args: draft.args } : {}),
      ...(inputs.length === 0 ? {} : { inputs }),
      ...(has("outputs") ? { outputs: { outputs, takesStdout, found, appended } } : {}),
      ...(has("env") ? { env: reader.texts([...path, "env"]) } : {}),
      ...(has("timeout") ? { timeout: draft.timeout } : {}),
      ...(has("grace") ? { grace: draft.grace } : {}),
      ...(has("state") ? { state: draft.state ?? false } : {}),
      gpu: reader.number([...path, "gpu"]),
      expect: readSeconds(reader, [...path, "expect"]),
      priority: reader.number([...path, "priority"]),
    };
  }

  /** Reports keys that would change what the job is for all of its tasks. */
  #reportUnsupported(reader: JobReader, path: KeyPath): void {
    const what = `${path[0]}[${path[1]}].`;
    if (reader.has([...path, "append"]))
      reader.reportAt([...path, "append"], `${what}append: only the job of a queue can append`, "move it to the job");
    if (readSeveralGpus(reader, path, this.base.gpus) !== this.base.gpus)
      reader.reportAt(
        [...path, "needs", "gpus"],
        `${what}needs.gpus: all tasks of a queue need as many GPUs as the job says`,
        "put tasks with other needs into a queue of their own",
      );
  }
}
