import { existsSync, readdirSync } from "node:fs";
import { basename, extname, join } from "node:path";
import type { Inventory } from "../../fleet/inventory.js";
import { MusterError } from "../../schemas/errors.js";
import { suggest } from "../../schemas/suggest.js";
import { programFolder, projectRoot } from "../../templates/programfolder.js";
import { listIncluded, orderPlaybooks } from "./orderplaybooks.js";
import type { NamedPlaybook } from "./planresources.js";
import { loadPlaybookModule, type PlaybookModule } from "./playbookmodule.js";

/** In order of precedence. */
const MODULE_EXTENSIONS = [".ts", ".mts", ".mjs", ".js"];
const BUILT_IN_FOLDER = join(programFolder(), "playbooks", "/");

/**
 * Loads the playbooks of these names, and those that they need, in the order in which they run: `playbooks/NAME.ts` (or .mts, .mjs, .js) beside
 * the inventory, which needs no build step, else the built-in one. Rejects with a MusterError (NO_PLAYBOOK, PLAYBOOK; exit 65) for an unknown
 * name, an invalid module, or playbooks that need each other.
 */
export async function loadPlaybooks(names: readonly string[], inventory: Inventory): Promise<NamedPlaybook[]> {
  const modules = await loadWithNeeds(names, inventory);
  const needsOf = new Map([...modules].map(([name, { needs }]) => [name, needs]));
  const found = orderPlaybooks(names, needsOf);
  if ("cycle" in found) throw createCycleError(found.cycle, modules);
  const included = new Map(listIncluded(names, found.order, needsOf).map(({ name, neededBy }) => [name, neededBy]));
  return found.order.map((name) => {
    const { playbook, needs, handlers } = modules.get(name)!;
    return { name, playbook, needs, handlers, neededBy: included.get(name) };
  });
}

/** Loads modules level by level: first the named ones, then what those need, and so on. */
async function loadWithNeeds(names: readonly string[], inventory: Inventory): Promise<Map<string, PlaybookModule>> {
  const modules = new Map<string, PlaybookModule>();
  let missing = [...new Set(names)].map((name) => ({ name, file: findPlaybookFile(name, inventory, undefined) }));
  while (missing.length > 0) {
    const loaded = await Promise.all(
      missing.map(({ name, file }) => loadPlaybookModule(name, file, file.startsWith(BUILT_IN_FOLDER))),
    );
    for (const [index, { name }] of missing.entries()) modules.set(name, loaded[index]!);
    const found = new Map<string, string>();
    for (const { needs, file } of loaded)
      for (const need of needs)
        if (!modules.has(need) && !found.has(need)) found.set(need, findPlaybookFile(need, inventory, file));
    missing = [...found].map(([name, file]) => ({ name, file }));
  }
  return modules;
}

/** Lists the names of all playbooks, built-in and the user's, sorted. */
function listPlaybookNames(inventory: Inventory): string[] {
  const names = [...listNames(BUILT_IN_FOLDER, [".js"]), ...listNames(findUserFolder(inventory), MODULE_EXTENSIONS)];
  return [...new Set(names)].sort();
}

/** `neededBy`: the file of the playbook that needs it, for the message. */
function findPlaybookFile(name: string, inventory: Inventory, neededBy: string | undefined): string {
  const plain = /^[\w][\w.-]*$/.test(name);
  const own = MODULE_EXTENSIONS.map((ending) => join(findUserFolder(inventory), name + ending)).filter((file) =>
    existsSync(file),
  );
  const candidates = [...own, join(BUILT_IN_FOLDER, `${name}.js`)].filter((file) => existsSync(file));
  if (plain && candidates[0] !== undefined) return candidates[0];
  const names = listPlaybookNames(inventory);
  const where = neededBy === undefined ? "" : `${neededBy}: needs: `;
  throw new MusterError("NO_PLAYBOOK", `${where}there is no playbook "${name}"`, {
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

function createCycleError(cycle: readonly string[], modules: ReadonlyMap<string, PlaybookModule>): MusterError {
  const steps = cycle.slice(1).map((need, index) => `${modules.get(cycle[index]!)!.file} needs ${need}`);
  const message =
    cycle.length === 2 ? `${steps[0]}, which is itself` : `playbooks need each other: ${steps.join(", ")}`;
  return new MusterError("PLAYBOOK", message, { next: "Remove one of these from its `needs`." });
}
