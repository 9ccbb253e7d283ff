import { readlinkSync, realpathSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";

/**
 * Returns the target of the symbolic link at `path` (relative to `root`) for a copy of the project in another place: as written, or
 * relative where it names the root on its way. Undefined if it leads out of `root`, which has no links in it. The target may be missing.
 */
export function readProjectLink(root: string, path: string): string | undefined {
  const target = readlinkSync(join(root, path));
  const folder = dirname(join(root, path));
  const real = resolveTarget(posix.resolve(folder, target));
  if (!isInside(root, real)) return undefined;
  const namesRoot = target.startsWith("/") || climbsOut(posix.dirname(path), target);
  if (!namesRoot) return target;
  // The last part stays unresolved: it may itself be a link of the project.
  const kept = join(resolveTarget(posix.resolve(folder, posix.dirname(target))), posix.basename(target));
  return relative(folder, isInside(root, kept) ? kept : real) || ".";
}

/** Returns whether a relative target leaves the root on its way, given the folder of the link, relative to the root. */
function climbsOut(folder: string, target: string): boolean {
  let depth = folder === "." ? 0 : folder.split("/").length;
  return target.split("/").some((part) => {
    if (part === "..") depth--;
    else if (part !== "" && part !== ".") depth++;
    return depth < 0;
  });
}

/** Resolves all links of a path, as far as it exists. A cycle of links counts as missing. */
function resolveTarget(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(resolveTarget(parent), posix.basename(path));
  }
}

function isInside(root: string, path: string): boolean {
  return path === root || path.startsWith(root === "/" ? "/" : `${root}/`);
}
