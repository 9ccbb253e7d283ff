import type { Difference, ModulesState, Playbook, Resource } from "./engine/resource.js";

const OLDEST = [3, 8] as const;

/** The node's Python is new enough, and has the modules that the inventory names. It can only be reported. */
const python: Playbook = ({ node }) => [interpreter(node.python, node.pythonModules ?? [])];
export default python;

function interpreter(name: string, modules: string[]): Resource<ModulesState> {
  return {
    name: "python",
    probe: { ask: "modules", python: name, modules },
    diff: (have) => pythonDifferences(name, modules, have),
  };
}

/** Pure: what is too old or missing. */
export function pythonDifferences(name: string, modules: string[], have: ModulesState): Difference[] {
  const wanted = `${OLDEST.join(".")} or later`;
  if (have.python === null)
    return [{ what: name, have: `cannot be used: ${have.error ?? "no version"}`, want: wanted }];
  const [major = 0, minor = 0] = have.python.split(".").map(Number);
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  const missing = modules.filter((module) => !(Object.hasOwn(have.modules, module) && have.modules[module]?.found));
  return [
    ...(isOld ? [{ what: name, have: have.python, want: wanted }] : []),
    ...missing.map((module) => ({
      what: `module ${module}`,
      have: `not there for ${name} ${have.python}`,
      want: "there",
    })),
  ];
}
