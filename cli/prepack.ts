/**
 * Prepares the package for `npm pack`, which calls this. It writes package.json: the bundle holds all dependencies, so the package has none, and
 * it names the commit that it was made of. `npm pack` moves the original back afterwards.
 */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatJson } from "../schemas/escape.js";
import { buildFolder, projectRoot } from "../templates/programfolder.js";
import { findHead } from "./version.js";

const file = join(projectRoot(), "package.json");
copyFileSync(file, join(buildFolder(), "package.json.original"));
const {
  dependencies: _,
  devDependencies: __,
  scripts: ___,
  private: ____,
  ...kept
} = JSON.parse(readFileSync(file, "utf8"));
writeFileSync(file, `${formatJson({ ...kept, gitHead: findHead() }, 2)}\n`);
