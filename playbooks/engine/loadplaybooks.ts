import { existsSync, readdirSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Inventory } from "../../fleet/inventory.js";
import { MusterError } from "../../schemas/errors.js";
import { suggest } from "../../schemas/suggest.js";
import { programFolder, projectRoot } from "../../templates/programfolder.js";
import { importModule } from "./importmodule.js";
import type { NamedPlaybook } from "./planresources.js";
import type { Playbook } from "./resource.js";

/** In order of precedence. */
const MODULE_EXTENSIONS = [".ts", ".mts", ".mjs", ".js"];
const BUILT_IN_FOLDER = join(programFolder(), "playbooks", "/");

/**
 * Loads the playbooks of these names: `playbooks/NAME.ts` (or .mts, .mjs, .js) beside the inventory, which needs no build step, else the
 * built-in one. Rejects with a MusterError (NO_PLAYBOOK, PLAYBOOK; exit 65) for an unknown name or an invalid module.
 */
export async function loadPlaybooks(names: readonly string[], inventory: Inventory): Promise<NamedPlaybook[]> {
  const unique = [...new Set(names)];
  const files = unique.map((name) => findPlaybookFile(name, inventory));
  return Promise.all(unique.map(async (name, index) => ({ name, playbook: await loadPlaybook(name, files[index]!) })));
}

/** Lists the names of all playbooks, built-in and the user's, sorted. */
function listPlaybookNames(inventory: Inventory): string[] {
  const names = [...listNames(BUILT_IN_FOLDER, [".js"]), ...listNames(findUserFolder(inventory), MODULE_EXTENSIONS)];
  return [...new Set(names)].sort();
}

function findPlaybookFile(name: string, inventory: Inventory): string {
  const plain = /^[\w][\w.-]*$/.test(name);
  const own = MODULE_EXTENSIONS.map((ending) => join(findUserFolder(inventory), name + ending)).filter((file) =>
    existsSync(file),
  );
  const candidates = [...own, join(BUILT_IN_FOLDER, `${name}.js`)].filter((file) => existsSync(file));
  if (plain && candidates[0] !== undefined) return candidates[0];
  const names = listPlaybookNames(inventory);
  throw new MusterError("NO_PLAYBOOK", `there is no playbook "${name}"`, {
    next:
      suggest(name, names) ?? `There are ${names.join(", ")}; put your own into ${findUserFolder(inventory)}/NAME.ts.`,
  });
}

/** In muster's own project, `playbooks` beside the inventory holds the sources of the built-in playbooks, not those of a user. */
function findUserFolder(inventory: Inventory): string {
  const folder = join(inventory.folder, "playbooks");
  return folder === join(projectRoot(), "playbooks") ? join(folder, "user") : folder;
}

function listNames(folder: string, endings: string[]): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => endings.includes(extname(file)))
    .map((file) => basename(file, extname(file)));
}

async function loadPlaybook(name: string, file: string): Promise<Playbook> {
  const module = file.startsWith(BUILT_IN_FOLDER) ? await import(pathToFileURL(file).href) : await importModule(file);
  const playbook: unknown = (module as { default?: unknown }).default;
  if (typeof playbook === "function") return playbook as Playbook;
  throw new MusterError("PLAYBOOK", `${file}: the playbook ${name} has no function as its default export`, {
    next: "Write `export default function* ({ node }) { yield ...; }`; ARCHITECTURE.md has an example.",
  });
}
