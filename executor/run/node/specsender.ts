import type { Chunk, Job } from "../../job/job.js";
import type { AgentCommand, AttemptSpec } from "../agent/protocol.js";
import { isolationOf } from "./attemptspec.js";

/** Sends an agent what attempts are started with: once where only the arguments of chunks differ. */
export class SpecSender {
  private readonly sent = new Set<string>();

  /** `build` returns what a chunk is started with; `isolate`: what a warm worker's chunks have in common. */
  constructor(
    private readonly send: (command: AgentCommand) => void,
    private readonly build: (job: Job, chunk: Chunk, isolate: string | undefined) => AttemptSpec,
  ) {}

  /** Returns the id of a spec that the agent has, or the spec itself where a job's chunks have little in common. */
  specFor(job: Job, chunk: Chunk): string | AttemptSpec {
    const isolate = isolationOf(job, chunk);
    if (job.kind === "tasks" || job.kind === "queue") return this.build(job, chunk, isolate);
    const id = isolate === undefined ? "job" : `job ${isolate}`;
    if (!this.sent.has(id)) this.send({ op: "spec", id, spec: this.build(job, chunk, isolate) });
    this.sent.add(id);
    return id;
  }
}
