import { lstatSync } from "node:fs";

/** Returns what lies at a path, without following a link there. `blocked`: nothing can, because a part of the path is a file. */
export function kindOfEntry(path: string): "none" | "file" | "folder" | "blocked" {
  try {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return "none";
    return stat.isDirectory() ? "folder" : "file";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return "blocked";
    throw error;
  }
}

/** Returns why a result cannot get the name `path`, where something lies that the run did not publish; undefined = it can. */
export function findNameConflict(path: string): string | undefined {
  switch (kindOfEntry(path)) {
    case "none":
      return undefined;
    case "blocked":
      return `${path} cannot be written: a part of its path is a file`;
    case "folder":
      return `${path} cannot be written: it is a folder`;
    case "file":
      return `${path} exists already: move it away, or use --overwrite`;
  }
}
