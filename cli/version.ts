import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../templates/programfolder.js";

const SHORT_HASH = 12;

/** Returns the version and, where it is known, the commit: of a package what it was made of, of a clone its HEAD. */
export function describeVersion(): string {
  const { version, gitHead } = JSON.parse(readFileSync(join(projectRoot(), "package.json"), "utf8"));
  const commit = gitHead ?? findHead();
  return commit === undefined ? version : `${version} (${commit.slice(0, SHORT_HASH)})`;
}

/** Returns the commit that a clone of muster has checked out; undefined without git or a clone. */
export function findHead(): string | undefined {
  if (!existsSync(join(projectRoot(), ".git"))) return undefined;
  try {
    const words = ["-C", projectRoot(), "rev-parse", "HEAD"];
    return execFileSync("git", words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}
