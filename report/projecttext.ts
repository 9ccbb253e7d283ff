import type { Job } from "../executor/job/job.js";
import type { Project } from "../executor/job/project/project.js";
import { formatBytes, pluralize, toPrintableText } from "./format.js";

/** Formats which files go along with a job, and where its programs start. */
export function formatProject({ project, folders, folder, directory }: Job): string {
  if (directory !== undefined)
    return toPrintableText([`no project goes along; programs run in ${directory}, which is on the nodes already`]);
  if (project === undefined)
    return toPrintableText([`no project goes along; programs start beside the inputs of ${folder}`]);
  return toPrintableText([
    `project ${project.root}: ${pluralize(project.files.length, "file")}, ${formatBytes(sumBytes(project))}`,
    `  programs start in ${folders.cwd}`,
    ...(folders.pythonPath.length === 0 ? [] : [`  PYTHONPATH begins with ${folders.pythonPath.join(", ")}`]),
    ...project.leftOut.map(({ path, why }) => `  stays here: ${path} (${why})`),
  ]);
}

/** Returns the same as data, for `--plan --json`; null where no project goes along. */
export function describeProject({ project, folders }: Job) {
  if (project === undefined) return null;
  return {
    root: project.root,
    files: project.files.length,
    bytes: sumBytes(project),
    leftOut: project.leftOut,
    ...folders,
  };
}

function sumBytes({ files }: Project): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
