/**
 * The last step of the build, after the compiler: makes the validators of schemas, the packed agent and the manual page, and bundles the program, so
 * that a command loads a few files instead of hundreds. `muster` starts dist/bundle/cli/main.js.
 */
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { compileValidators } from "../schemas/compile.js";
import { writePackedAgent } from "../templates/nodeprograms.js";
import { buildFolder, programFolder, projectRoot } from "../templates/programfolder.js";
import { renderManualPage } from "./manpage.js";
import { buildProgram } from "./program.js";

/** CommonJS packages expect these in their scope. */
const COMMONJS_SCOPE = `import { createRequire as createRequireOfBundle } from "node:module";
const require = createRequireOfBundle(import.meta.url), __dirname = import.meta.dirname, __filename = import.meta.filename;`;
/** ssh2 works without its native parts, which are not installed. */
const NATIVE_PARTS = ["cpu-features", "*.node"];

const MAX_RUN_DAYS = 30;

const compiled = programFolder();
/** Paths of compiled modules below a folder, without those of its folders. */
const listModules = (folder: string, ending: string) =>
  readdirSync(join(compiled, folder))
    .filter((name) => name.endsWith(ending))
    .map((name) => join(compiled, folder, name));

compileValidators();
writePackedAgent();
const { version } = JSON.parse(readFileSync(join(projectRoot(), "package.json"), "utf8")) as { version: string };
writeFileSync(
  join(buildFolder(), "muster.1"),
  renderManualPage(
    buildProgram(() => {}),
    version,
  ),
);
const outdir = join(compiled, "bundle");
const options = {
  outbase: compiled,
  outdir,
  bundle: true,
  platform: "node",
  target: "node20.19",
  logLevel: "warning",
} as const;
await build({
  ...options,
  entryPoints: listModules("schemas/validators", ".cjs"),
  format: "cjs",
  outExtension: { ".js": ".cjs" },
});
const { metafile } = await build({
  ...options,
  // Playbooks are loaded by name, and those of users import the library and zx. The command line and the library share their parts.
  entryPoints: [
    join(compiled, "cli", "main.js"),
    join(compiled, "lib", "index.js"),
    ...listModules("playbooks", ".js"),
    join(compiled, "playbooks", "engine", "zx.js"),
  ],
  chunkNames: "chunks/[name]-[hash]",
  splitting: true,
  format: "esm",
  sourcemap: true,
  sourcesContent: false,
  // jsonc-parser's CommonJS form cannot be bundled.
  mainFields: ["module", "main"],
  external: NATIVE_PARTS,
  banner: { js: COMMONJS_SCOPE },
  metafile: true,
});
removeOldChunks(join(outdir, "chunks"), new Set(Object.keys(metafile.outputs).map((file) => basename(file))));

/** Removes what earlier builds made. A run that started before this build may still load its chunks, so recent ones stay. */
function removeOldChunks(folder: string, present: ReadonlySet<string>): void {
  const old = Date.now() - MAX_RUN_DAYS * 24 * 3600 * 1000;
  for (const name of readdirSync(folder))
    if (!present.has(name) && statSync(join(folder, name)).mtimeMs < old) rmSync(join(folder, name));
}
