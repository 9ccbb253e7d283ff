import { existsSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

/** What the root of a project holds. */
const ROOT_MARKERS = [".git", "pyproject.toml", "setup.py", ".project-root", "requirements.txt"];

/**
 * Returns the nearest folder at or above `folder` that has .git, pyproject.toml, setup.py, .project-root or requirements.txt, but never
 * the home folder or a folder above it; `folder` itself if there is none. Ask `canBeProject` about `folder` itself.
 */
export function findProjectRoot(folder: string, home: string): string {
  for (let current = folder; canBeProject(current, home); current = dirname(current))
    if (ROOT_MARKERS.some((name) => existsSync(join(current, name)))) return current;
  return folder;
}

/** Returns whether a folder may be a project that nobody named: it is below the home folder or beside it, and not shared like `/tmp`. */
export function canBeProject(folder: string, home: string): boolean {
  return !isHomeOrAbove(folder, home) && !isShared(folder);
}

/** Returns whether everybody writes into a folder, each their own files: it has the sticky bit. */
function isShared(folder: string): boolean {
  const mode = statSync(folder, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & 0o1002) === 0o1002;
}

/** Returns whether `folder` is the home folder, a folder above it, or `/`: never a project. Links are resolved first. */
export function isHomeOrAbove(folder: string, home: string): boolean {
  const [inner, outer] = [resolveLinks(home), resolveLinks(folder)];
  return outer === dirname(outer) || inner === outer || inner.startsWith(`${outer}/`);
}

function resolveLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
