import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of muster's package.json. Files that the compiler does not copy lie there, and not in dist/. */
export function projectRoot(): string {
  return findAbove("package.json");
}

/** The folder of the compiled program that runs: dist/, or dist/bundle/. */
export function programFolder(): string {
  return findAbove(join("cli", "main.js"));
}

/** The folder of what the build makes. */
export function buildFolder(): string {
  return join(projectRoot(), "dist");
}

function findAbove(file: string): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, file))) folder = dirname(folder);
  return folder;
}
