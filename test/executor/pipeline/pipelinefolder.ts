import { TestFolder } from "../../cli/startmuster.js";

/** Makes a folder for pipelines: a job of two chunks with an input and an aggregate, and a folder of another project. */
export function createPipelineFolder(): TestFolder {
  const folder = new TestFolder();
  folder.write("data.json", "[]");
  folder.write("w.sh", "#!/bin/sh\n", 0o755);
  folder.write(
    "job.yaml",
    "kind: matrix\nmatrix: {n: [0, 2]}\nscript: w.sh\ninputs: [data.json]\noutputs: [r.json]\naggregate: {from: r.json, as: array, to: all.json}\n",
  );
  folder.write("other/notes.txt", "");
  return folder;
}
