import type { Job } from "../executor/job/job.js";
import type { Project } from "../executor/job/project/project.js";
import { formatBytes, pluralize, toPrintableText } from "./format.js";

/** The most files that are listed. */
const MAX_LISTED_FILES = 100;

/** Formats which files of a project are copied to nodes, and where its programs start. */
export function formatProject({ project, folders, folder, directory }: Job): string {
  if (directory !== undefined)
    return toPrintableText([`no project: programs run in ${directory}, which is on the nodes already`]);
  if (project === undefined)
    return toPrintableText([`no project: only scripts and inputs of ${folder} are copied to nodes`]);
  const { root, files, leftOut } = project;
  const more = files.length > MAX_LISTED_FILES ? [`  and ${files.length - MAX_LISTED_FILES} more`] : [];
  return toPrintableText([
    `project ${root}: ${pluralize(files.length, "file")}, ${formatBytes(sumBytes(project))}`,
    `  programs start in ${folders.cwd}`,
    ...(folders.pythonPath.length === 0 ? [] : [`  PYTHONPATH begins with ${folders.pythonPath.join(", ")}`]),
    ...leftOut.map(({ path, why }) => `  not copied: ${path} (${why})`),
    ...files.slice(0, MAX_LISTED_FILES).map(({ path }) => `  ${path}`),
    ...more,
  ]);
}

/** Returns the same as data, for `--plan --json`; null where there is no project. */
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
