import type { Difference, ModulesState, Playbook, Resource } from "./engine/resource.js";

const MIN_VERSION = [3, 8] as const;

/** Checks that the node's Python is recent enough and has the modules that the inventory names. Drift is only reported. */
const python: Playbook = ({ node }) => [pythonResource(node.python, node.pythonModules ?? [])];
export default python;

function pythonResource(name: string, modules: string[]): Resource<ModulesState> {
  return {
    name: "python",
    probe: { ask: "modules", python: name, modules },
    diff: (have) => diffPython(name, modules, have),
    notes: (have) => adviseOnModules(name, findMissingModules(modules, have)),
  };
}

/** Pure: lists what is too old or missing. */
export function diffPython(name: string, modules: string[], have: ModulesState): Difference[] {
  const wanted = `${MIN_VERSION.join(".")} or later`;
  if (have.python === null)
    return [{ what: name, have: `cannot be used: ${have.error ?? "no version"}`, want: wanted }];
  const [major = 0, minor = 0] = have.python.split(".").map(Number);
  const isOld = major < MIN_VERSION[0] || (major === MIN_VERSION[0] && minor < MIN_VERSION[1]);
  return [
    ...(isOld ? [{ what: name, have: have.python, want: wanted }] : []),
    ...findMissingModules(modules, have).map((module) => ({
      what: `module ${module}`,
      have: `not installed for ${name} ${have.python}`,
      want: "installed",
    })),
  ];
}

function findMissingModules(modules: string[], have: ModulesState): string[] {
  if (have.python === null) return [];
  return modules.filter((module) => !(Object.hasOwn(have.modules, module) && have.modules[module]?.found));
}

/** Pure: notes what helps, because provisioning does not. */
function adviseOnModules(name: string, missing: string[]): string[] {
  if (missing.length === 0) return [];
  return [
    `muster installs no modules for ${name}: install them there, or use \`python_envs\` and the playbook python-env`,
  ];
}
