import type { CommandState, Difference, Resource } from "../engine/resource.js";

const TIMEOUT_SECONDS = 10;
/** Prints checksum and version of a module, as it is loaded and as the running kernel would load it, and where its file is. */
const LOOK_SCRIPT = `export PATH="$PATH:/usr/sbin:/sbin"
for name in srcversion version; do
  echo "loaded $name $(cat "/sys/module/$1/$name" 2>/dev/null)"
  echo "installed $name $(modinfo -F "$name" "$1" 2>/dev/null)"
done
echo "installed filename $(modinfo -F filename "$1" 2>/dev/null)"
[ -e "/sys/module/$1" ] || echo absent
exit 0`;

/**
 * Returns a resource for a kernel module that must be loaded, and be the one that is installed: after an update, only a reboot loads the new
 * driver. Where none is installed for the running kernel, a reboot would not help, and there is no difference.
 */
export function loadedModuleResource(module: string, after: string[]): Resource<CommandState> {
  return {
    name: `loaded ${module}`,
    probe: { ask: "command", argv: ["/bin/sh", "-c", LOOK_SCRIPT, "look", module], timeout: TIMEOUT_SECONDS },
    diff: ({ stdout }) => diffLoadedModule(module, stdout),
    after,
    reboot: true,
  };
}

/** Pure: says how the loaded module differs from the installed one. */
function diffLoadedModule(module: string, answer: string): Difference[] {
  const lines = answer.split("\n");
  const read = (prefix: string) =>
    lines
      .find((line) => line.startsWith(prefix))
      ?.slice(prefix.length)
      .trim() ?? "";
  const checksum = (which: string) => read(`${which} srcversion `);
  // Modules of the kernel itself have neither.
  const describe = (which: string) => read(`${which} version `) || checksum(which) || "the kernel's own";
  if (read("installed filename ") === "") return [];
  if (lines.includes("absent")) return [{ what: `module ${module}`, have: "not loaded", want: describe("installed") }];
  if (checksum("loaded") === checksum("installed")) return [];
  return [{ what: `module ${module}`, have: `${describe("loaded")} is loaded`, want: describe("installed") }];
}
