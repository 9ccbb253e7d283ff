import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { InvalidFileError, MusterError } from "../../schemas/errors.js";
import { guardPlaybook } from "./guardplaybook.js";
import type { Playbook } from "./resource.js";
import { Transpiler } from "./transpiler.js";

/**
 * Imports a TypeScript or JavaScript module, and the modules that it imports by relative paths, without a build step: they are transpiled
 * into a temporary folder, which is removed afterwards. Types are not checked; a function that is its default export is guarded, see
 * `guardPlaybook`. Rejects with InvalidFileError for a syntax error or a wrong import, or with a MusterError (PLAYBOOK, exit 65) if the module
 * cannot be found or throws.
 */
export async function importModule(file: string): Promise<Record<string, unknown>> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "muster-playbook-")));
  const transpiler = await Transpiler.create(folder);
  try {
    const module: Record<string, unknown> = await import(pathToFileURL(transpiler.add(file)).href);
    if (typeof module.default !== "function") return module;
    const { findPlace } = await import(pathToFileURL(transpiler.yields).href);
    const author = { file, locate: (error: unknown) => transpiler.modules.locate(error), findPlace };
    return { ...module, default: guardPlaybook(module.default as Playbook, author) };
  } catch (error) {
    throw await explainLoadError(error, file, transpiler);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function explainLoadError(error: unknown, file: string, transpiler: Transpiler): Promise<MusterError> {
  if (error instanceof MusterError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const unknown = /does not provide an export named '([^']+)'/.exec(message)?.[1];
  if (error instanceof SyntaxError && unknown !== undefined) {
    const problem = await transpiler.findWrongImport(unknown);
    if (problem !== undefined) return new InvalidFileError([problem]);
  }
  return new MusterError("PLAYBOOK", `${transpiler.modules.locate(error) ?? file}: cannot be loaded: ${message}`, {
    next: "Fix it there; `muster verify` with its name loads it and changes nothing.",
  });
}
