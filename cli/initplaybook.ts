import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { quote } from "../fleet/quote.js";
import type { Writers } from "../report/writers.js";
import { MusterError, UsageError } from "../schemas/errors.js";
import { buildFolder, programFolder, projectRoot } from "../templates/programfolder.js";
import { readPlaybookConfiguration, readPlaybookStarter } from "../templates/starters.js";
import type { NewFile } from "./newfiles.js";

const DEFAULT_NAME = "example";

/** Returns where the playbook of a name is looked for with the inventory of the current folder. In muster's own project that is elsewhere. */
export function findPlaybookPath(name = DEFAULT_NAME): string {
  rejectName(name);
  const isOwn = resolve("playbooks") === join(projectRoot(), "playbooks");
  return join("playbooks", ...(isOwn ? ["user"] : []), `${name}.ts`);
}

/** A playbook, and what an editor needs to know its types, unless it is there. Throws UsageError for a name that no playbook may have. */
export function makePlaybook(path: string): NewFile[] {
  const name = path === "-" ? DEFAULT_NAME : basename(path).replace(/\.m?ts$/, "");
  rejectName(name);
  const folder = dirname(path);
  const optional: NewFile[] = [
    { path: join(folder, "tsconfig.json"), text: readPlaybookConfiguration() },
    ...(hasPackage(folder) ? [] : [{ path: join(folder, "node_modules/muster"), target: projectRoot() }]),
  ];
  return [{ path, text: readPlaybookStarter(name) }, ...optional.filter((one) => !existsSync(one.path))];
}

/** What to do with a new playbook. */
export function formatNextStep(path: string): string {
  const name = quote(basename(path).replace(/\.m?ts$/, ""));
  return `muster verify ${name} -i local --diff, then muster provision ${name} -i local`;
}

/**
 * Makes the types of the package "muster" in a clone, where only their readers need them; an installed muster has them. Throws a MusterError
 * (COMMAND) where the compiler fails.
 */
export function makeTypes(writers: Writers): void {
  if (existsSync(join(buildFolder(), "bundle/lib/index.d.ts"))) return;
  writers.err("muster: making the types for editors (once) ...");
  const { status, stderr, stdout } = spawnSync("bash", [join(projectRoot(), "build"), "types"], { encoding: "utf8" });
  if (status !== 0)
    throw new MusterError("COMMAND", `the types of muster cannot be made: ${`${stdout}${stderr}`.trim().slice(-500)}`, {
      next: `The playbook works without them. Try again with: ${quote(join(projectRoot(), "build"))} types`,
    });
}

/** Whether Node.js and editors find a package "muster" from a folder. */
function hasPackage(folder: string): boolean {
  for (let at = resolve(folder); ; at = dirname(at)) {
    if (existsSync(join(at, "node_modules/muster/package.json"))) return true;
    if (dirname(at) === at) return false;
  }
}

function rejectName(name: string): void {
  if (!/^\w[\w.-]*$/.test(name))
    throw new UsageError(
      `init playbook ${name}: this cannot be the name of a playbook`,
      "Use letters, digits, - and _.",
    );
  if (existsSync(join(programFolder(), "playbooks", `${name}.js`)))
    throw new UsageError(`init playbook ${name}: muster has a playbook of this name`, "Choose another name.");
}
