import { posix } from "node:path";
import type { LaunchFolders, Project } from "./project.js";
import type { FileStatus } from "./whereabouts.js";

/** A file of the project on this machine that a program did not find. Paths are relative to the project's root. */
export interface FileFacts {
  readonly path: string;
  readonly status: Exclude<FileStatus, "copied">;
  /** The link out of the project that its path contains. */
  readonly link?: string;
  /** What selects files of the project. */
  readonly by?: Project["narrowedBy"];
}

/** Returns why a file is not copied to nodes, and which key of the job changes that. */
export function adviseOnFile(facts: FileFacts, { job }: LaunchFolders): string {
  const { path, status } = facts;
  const why = explainStatus(facts);
  const fromJob = posix.relative(job, path);
  const what = `\`${path}\` is not copied to nodes (${why}).`;
  if (status === "env file") return `${what} Pass its values with \`env_file\`.`;
  if (status === "not in code" && facts.by === "code") return `${what} Add it to \`code\`.`;
  if (status === "not in code") return `${what} Add it to \`inputs\`, or list files and folders in \`code\`.`;
  return fromJob === path ? `${what} Add it to \`inputs\`.` : `${what} Add it to \`inputs\` as \`${fromJob}\`.`;
}

/** Returns what to do about a module that is copied to nodes, into a folder where Python does not look. */
export function adviseOnModule(path: string, folder: string): string {
  return `\`${path}\` is copied to nodes, but Python does not look for modules in \`${folder}\`. Add \`${folder}\` to \`pythonpath\`.`;
}

function explainStatus({ status, path, link }: FileFacts): string {
  switch (status) {
    case "ignored":
      return "ignored by git";
    case "not in code":
      return "not in `code`";
    case "no project":
      return "the job has no project";
    case "leads out of the project":
      return link === undefined || link === path
        ? "a link out of the project"
        : `\`${link}\` is a link out of the project`;
    case "run directory":
      return "in a run directory";
    case "env file":
      return "it may hold secrets";
    case "over 4 MB":
      return status;
    default:
      return status satisfies never;
  }
}
