import { symlinkSync, writeFileSync } from "node:fs";
import type { Test } from "tap";
import type { Chunk, Job } from "../../../executor/job/job.js";
import { type JobOptions, loadJob } from "../../../executor/job/loadjob.js";
import { renderTemplate } from "../../../executor/job/template.js";

const VALUES = { gpu: "3", out: "/w", cores: "2" };

/** Creates a folder with scripts and inputs. Returns a function that loads a text there as a job. */
export function jobs(t: Test): (text: string, options?: JobOptions) => Job {
  const folder = t.testdir({
    "w.py": "",
    "v.py": "",
    "notes.txt": "",
    data: { "a.json": "1", deep: { "b.json": "2" } },
    empty: {},
  });
  symlinkSync(".", `${folder}/empty/loop`);
  return (text, options) => {
    writeFileSync(`${folder}/job.yaml`, text);
    return loadJob(`${folder}/job.yaml`, options);
  };
}

export const args = (chunk: Chunk) => chunk.spec.args.map((template) => renderTemplate(template, VALUES));
