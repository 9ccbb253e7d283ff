import { dirname } from "node:path";
import { formatCount } from "../../../schemas/numbertext.js";
import { ProjectRefusal } from "./refusal.js";

/** The most bytes and files of a project that are copied to nodes. */
export const MAX_PROJECT_BYTES = 100 << 20;
const MAX_PROJECT_FILES = 20_000;

/** How many of the largest folders a refusal names. */
const SHOWN_FOLDERS = 3;
/** The share of a folder that one of its folders must have to be named instead of it. */
const MAIN_PART = 0.8;

interface Total {
  files: number;
  bytes: number;
}

interface SizedFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** Throws a ProjectRefusal if the files of a project are too many or too large. `isTruncated`: there are more files than are listed. */
export function rejectLargeProject(root: string, files: readonly SizedFile[], isTruncated: boolean): void {
  const totals = sumByFolder(files);
  const all = totals.get(".") ?? { files: 0, bytes: 0 };
  if (!isTruncated && all.bytes <= MAX_PROJECT_BYTES && all.files <= MAX_PROJECT_FILES) return;
  const measure: keyof Total = isTruncated || all.files > MAX_PROJECT_FILES ? "files" : "bytes";
  const largest = findLargestFolders(totals, measure).map((folder) => `${folder}/ ${formatTotal(totals.get(folder)!)}`);
  const size = isTruncated ? `more than ${formatTotal(all)}` : formatTotal(all);
  const most = formatTotal({ files: MAX_PROJECT_FILES, bytes: MAX_PROJECT_BYTES });
  throw new ProjectRefusal(
    `the project ${root} is too large to copy to nodes: ${size}; the limit is ${most}` +
      (largest.length === 0 ? "" : `. Its largest folders: ${largest.join(", ")}`),
    "select files with `code: [src/, conf/]`, or set `project: none`; add data to .gitignore, and what chunks read of it to `inputs`",
  );
}

/** Returns the totals of all folders; "." is the root. */
function sumByFolder(files: readonly SizedFile[]): Map<string, Total> {
  const totals = new Map<string, Total>();
  for (const { path, sizeBytes } of files) {
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      const total = totals.get(folder) ?? { files: 0, bytes: 0 };
      total.files++;
      total.bytes += sizeBytes;
      totals.set(folder, total);
      if (folder === ".") break;
    }
  }
  return totals;
}

/** Returns the largest folders, replacing each by its subfolder where that holds most of it. */
function findLargestFolders(totals: ReadonlyMap<string, Total>, measure: keyof Total): string[] {
  const children = new Map<string, string[]>();
  for (const folder of totals.keys()) {
    if (folder === ".") continue;
    const siblings = children.get(dirname(folder));
    if (siblings === undefined) children.set(dirname(folder), [folder]);
    else siblings.push(folder);
  }
  const sorted = (folder: string) =>
    (children.get(folder) ?? []).sort((a, b) => totals.get(b)![measure] - totals.get(a)![measure] || (a < b ? -1 : 1));
  const descend = (folder: string): string => {
    const [main] = sorted(folder);
    const isMain = main !== undefined && totals.get(main)![measure] >= MAIN_PART * totals.get(folder)![measure];
    return isMain ? descend(main) : folder;
  };
  return sorted(".").slice(0, SHOWN_FOLDERS).map(descend);
}

function formatTotal({ files, bytes }: Total): string {
  const megabytes = bytes / 2 ** 20;
  const size = megabytes.toLocaleString("en-US", { maximumFractionDigits: megabytes < 10 ? 1 : 0 });
  return `${formatCount(files)} file${files === 1 ? "" : "s"} of ${size} MB`;
}
