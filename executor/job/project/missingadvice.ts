import { posix } from "node:path";
import type { LaunchFolders, Project } from "./project.js";
import type { Standing } from "./whereabouts.js";

/** A file of the project here that a program did not find. Paths are relative to the project's root. */
export interface FileFacts {
  readonly path: string;
  readonly standing: Exclude<Standing, "goes along">;
  /** The link out of the project that it is reached by. */
  readonly link?: string;
  /** What narrows the project down. */
  readonly by?: Project["narrowedBy"];
}

/** Returns one sentence: why a file does not go along, and which key of the job changes that. */
export function adviseOnFile(facts: FileFacts, { job }: LaunchFolders): string {
  const { path, standing } = facts;
  const why = describeStanding(facts);
  const fromJob = posix.relative(job, path);
  const what = `${path} lies in the project here, but does not go along (${why})`;
  if (standing === "env file") return `${what}: pass its values on with env_file`;
  if (standing === "not in code" && facts.by === "code") return `${what}: add it to code`;
  const isBelowJob = !fromJob.startsWith("../");
  if (standing === "not in code")
    return `${what}: ${isBelowJob ? "list it in inputs, or " : ""}name files and folders in code`;
  if (!isBelowJob) return `${what}: move it below the job file, and list it in inputs`;
  return fromJob === path ? `${what}: list it in inputs` : `${what}: list it in inputs as ${fromJob}`;
}

/** Returns one sentence about a module that goes along, in a folder that Python does not look in. */
export function adviseOnModule(path: string, folder: string): string {
  return `${path} goes along, but Python does not look for modules in ${folder}: add ${folder} to pythonpath`;
}

function describeStanding({ standing, path, link }: FileFacts): string {
  switch (standing) {
    case "ignored":
      return "ignored by git";
    case "not in code":
      return "not in code";
    case "no project":
      return "no project does";
    case "leads out of the project":
      return link === undefined || link === path ? "a link out of the project" : `${link} is a link out of the project`;
    case "run directory":
      return "in a run directory";
    case "env file":
      return "it may hold secrets";
    case "over 4 MB":
      return standing;
    default:
      return standing satisfies never;
  }
}
