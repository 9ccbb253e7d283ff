import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { projectRoot } from "../lab/project.js";

/** What `npm pack` made of this build. */
export interface PackedProject {
  /** The path of the tarball. */
  tarball: string;
  /** What its `muster --version` prints. */
  version: string;
  /** package.json before and after. */
  manifests: [before: string, after: string];
}

/** Makes the package in `folder`, of a copy of the project: `npm pack` changes package.json for a moment. */
export function makePackage(folder: string): PackedProject {
  const copy = copyProject(join(folder, "project"));
  const readManifest = () => readFileSync(join(copy, "package.json"), "utf8");
  const manifest = readManifest();
  execFileSync("npm", ["pack", "--pack-destination", folder], { cwd: copy, stdio: "pipe" });
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"))!;
  const head = execFileSync("git", ["rev-parse", "HEAD"], { cwd: copy, encoding: "utf8" });
  return {
    tarball: join(folder, tarball),
    version: `${JSON.parse(manifest).version} (${head.slice(0, 12)})\n`,
    manifests: [manifest, readManifest()],
  };
}

/** Copies the project, as it is built, into a repository of its own. */
function copyProject(copy: string): string {
  const skipped = new Set(["node_modules", ".git", ".tap", "dist/test", "dist/bench"]);
  cpSync(projectRoot(), copy, {
    recursive: true,
    preserveTimestamps: true,
    filter: (path) => !skipped.has(relative(projectRoot(), path)),
  });
  symlinkSync(join(projectRoot(), "node_modules"), join(copy, "node_modules"));
  // Tests run on what is built.
  writeFileSync(join(copy, "dist/.built"), "");
  const git = (...words: string[]) =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...words], { cwd: copy, stdio: "ignore" });
  git("init");
  git("add", "package.json");
  git("commit", "-m", "package");
  return copy;
}
