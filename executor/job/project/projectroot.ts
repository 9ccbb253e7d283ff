import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

/** What the root of a project holds. */
const ROOT_MARKERS = [".git", "pyproject.toml", "setup.py", ".project-root", "requirements.txt"];

/**
 * Returns the nearest folder at or above `folder` that has .git, pyproject.toml, setup.py, .project-root or requirements.txt, but never
 * the home folder or a folder above it; `folder` itself if there is none. Where `folder` itself is the home folder or above it, nothing may
 * go along: ask `isHomeOrAbove`.
 */
export function findProjectRoot(folder: string, home: string): string {
  for (let current = folder; !isHomeOrAbove(current, home); current = dirname(current))
    if (ROOT_MARKERS.some((name) => existsSync(join(current, name)))) return current;
  return folder;
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
