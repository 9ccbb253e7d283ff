/**
 * The last step of the build, after the compiler: makes the validators of schemas and the packed agent, and bundles the program, so
 * that a command loads a few files instead of hundreds. `muster` starts dist/bundle/cli/main.js.
 */
import { readdirSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { compileValidators } from "../schemas/compile.js";
import { writePackedAgent } from "../templates/nodeprograms.js";
import { programFolder } from "../templates/programfolder.js";

/** CommonJS packages expect these in their scope. */
const COMMONJS_SCOPE = `import { createRequire as createRequireOfBundle } from "node:module";
const require = createRequireOfBundle(import.meta.url), __dirname = import.meta.dirname;`;
/** Large, and only for the playbooks of users. */
const LOADED_ON_DEMAND = ["typescript"];
/** ssh2 works without its native parts, which are not installed. */
const NATIVE_PARTS = ["cpu-features", "*.node"];

const MAX_RUN_DAYS = 30;

const compiled = programFolder();
const playbooks = readdirSync(join(compiled, "playbooks")).filter((name) => name.endsWith(".js"));

compileValidators();
writePackedAgent();
const outdir = join(compiled, "bundle");
const { metafile } = await build({
  // Playbooks are loaded by name, and those of users import the API.
  entryPoints: ["cli/main.js", "playbooks/engine/api.js", ...playbooks.map((name) => `playbooks/${name}`)].map((file) =>
    join(compiled, file),
  ),
  outbase: compiled,
  outdir,
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  sourcemap: true,
  // jsonc-parser's CommonJS form cannot be bundled.
  mainFields: ["module", "main"],
  external: [...LOADED_ON_DEMAND, ...NATIVE_PARTS],
  banner: { js: COMMONJS_SCOPE },
  metafile: true,
  logLevel: "warning",
});
removeOldChunks(join(outdir, "chunks"), new Set(Object.keys(metafile.outputs).map((file) => basename(file))));

/** Removes what earlier builds made. A run that started before this build may still load its chunks, so recent ones stay. */
function removeOldChunks(folder: string, present: ReadonlySet<string>): void {
  const old = Date.now() - MAX_RUN_DAYS * 24 * 3600 * 1000;
  for (const name of readdirSync(folder))
    if (!present.has(name) && statSync(join(folder, name)).mtimeMs < old) rmSync(join(folder, name));
}
