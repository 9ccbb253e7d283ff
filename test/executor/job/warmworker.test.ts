import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { loadJob } from "../../../executor/job/loadjob.js";
import { isolationOf } from "../../../executor/run/node/attemptspec.js";
import { gpuMemoryEnvironment } from "../../../executor/schedule/slots/nodeslots.js";
import { parseInventory } from "../../../fleet/inventory.js";
import { parseSource } from "../../../schemas/parsesource.js";
import { jobs } from "./jobfixture.js";

t.test("a job says how its warm workers are recycled", async (t) => {
  const load = jobs(t);
  const range = "kind: range\nrange: [0, 10]\nscript: w.py\n";
  const job = load(`${range}worker: warm\nrecycle: {chunks: 100, after: 1h, memory: 4GiB}\nstall: 5m\n`);
  t.same(job.warm, { chunks: 100, seconds: 3600, memory: 4 * 2 ** 30, isolateBy: undefined });
  t.equal(job.stallSeconds, 300);
  const cold = load(`${range}worker: process\n`);
  t.equal(cold.warm, undefined);
  t.equal(cold.identity, job.identity, "results do not depend on it");
  t.not(cold.work, job.work, "overheads do");
});

t.test("chunks with different values of a key get different workers", async (t) => {
  const matrix = "kind: matrix\nmatrix: {model: [a, b], trial: [0, 2]}\nscript: w.py\nworker: warm\n";
  const load = jobs(t);
  const isolations = (text: string) => {
    const job = load(text);
    return [0n, 1n, 2n, 3n].map((unit) => isolationOf(job, job.chunk(unit, unit + 1n)));
  };
  t.same(isolations(`${matrix}isolate_by: model\n`), ["a", "a", "b", "b"]);
  t.same(isolations(matrix), [undefined, undefined, undefined, undefined]);
});

t.test("memory_fraction is a share of a GPU's memory", async (t) => {
  const load = (keys: string) =>
    parseInventory(parseSource("i.yaml", `profiles: {p: {${keys}}}\nnodes: {rig: {profile: p, gpus: 1}}\n`), "/i.yaml");
  const { profile } = load("vendor: amd, vram: 8GiB, memory_fraction: 0.8").nodes[0]!;
  t.same(gpuMemoryEnvironment(profile, { node: "rig", slot: 0, gpu: 0 }), {
    MUSTER_GPU_MEMORY: "6871947673",
    MUSTER_GPU_MEMORY_FRACTION: "0.8",
  });
  t.same(gpuMemoryEnvironment(profile, { node: "rig", slot: 0 }), {}, "a CPU slot");
  t.throws(() => load("vendor: amd, memory_fraction: 0.8"), { code: "INVALID_FILE" });
});

t.test("a module of the project that hides the worker library is named", async (t) => {
  const folder = t.testdir({ ".project-root": "", "w.py": "import muster", "muster.py": "", "v.py": "" });
  const notes = (keys: string) => {
    writeFileSync(join(folder, "job.yaml"), `kind: range\nrange: [0, 10]\nscript: w.py\n${keys}`);
    return loadJob(join(folder, "job.yaml")).notes;
  };
  t.match(notes("worker: warm\n"), [/^`muster.py` hides muster's worker library of that name; rename it/]);
  t.same(notes(""), [], "a script that is started for each chunk may mean its own");
});
