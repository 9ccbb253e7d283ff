import type { WantedModule } from "../fleet/nodestate.js";
import { diffFile } from "./engine/fileresource.js";
import type { Difference, FileState, PlaybookContext, Probe, Resource } from "./engine/resource.js";
import { runAsRoot } from "./engine/sudo.js";
import { MAX_DIFF_BYTES } from "./engine/unifieddiff.js";

const MODE = 0o644;
const HEADER =
  "# Written by `muster provision modules`, from the inventory; a change here is undone by the next one.\n";

/** Keeps kernel modules loaded, or not, and their options: `modules` of the inventory. */
export default function* modules({ node }: PlaybookContext): Generator<Resource> {
  for (const [name, want] of Object.entries(node.state.modules)) yield moduleResource({ name, ...want }) as Resource;
}

/**
 * Returns a resource for a kernel module: whether it is loaded, now and at boot, and its file in /etc/modprobe.d. Options count when it is
 * loaded the next time.
 */
export function moduleResource(want: WantedModule & { name: string }): Resource<FileState[]> {
  const { name, loaded } = want;
  const atBoot = `/etc/modules-load.d/muster-${name}.conf`;
  const options = `/etc/modprobe.d/muster-${name}.conf`;
  const optionsText = formatOptions(want);
  const probes: Probe[] = [
    { ask: "file", path: `/sys/module/${name.replaceAll("-", "_")}`, cap: 0 },
    { ask: "file", path: atBoot, cap: MAX_DIFF_BYTES },
    { ask: "file", path: options, cap: MAX_DIFF_BYTES },
  ];
  const diffOptions = (have: FileState) => {
    if (optionsText === undefined) return [];
    if (optionsText !== "") return diffManaged(have, options, optionsText);
    return have.kind === "missing" ? [] : [{ what: options, have: "there", want: "no file" }];
  };
  const diffAtBoot = (have: FileState) => {
    if (loaded === undefined) return [];
    if (loaded) return diffManaged(have, atBoot, `${HEADER}${name}\n`);
    return have.kind === "missing" ? [] : [{ what: atBoot, have: "there", want: "no file" }];
  };
  return {
    name: `module ${name}`,
    probe: { ask: "all", of: probes },
    diff: ([module, boot, file]) => [
      ...diffOptions(file ?? MISSING),
      ...diffAtBoot(boot ?? MISSING),
      ...diffLoaded(name, loaded, module ?? MISSING),
    ],
    change: async ([module, boot, file], { $, place }) => {
      if (diffOptions(file ?? MISSING).length > 0) {
        if (optionsText === "") await $`${runAsRoot(["rm", "-f", "--", options])}`;
        else await place({ path: options, content: Buffer.from(optionsText ?? ""), mode: MODE, become: true });
      }
      if (diffAtBoot(boot ?? MISSING).length > 0) {
        if (loaded) await place({ path: atBoot, content: Buffer.from(`${HEADER}${name}\n`), mode: MODE, become: true });
        else await $`${runAsRoot(["rm", "-f", "--", atBoot])}`;
      }
      if (diffLoaded(name, loaded, module ?? MISSING).length > 0)
        await $`${runAsRoot(["modprobe", ...(loaded ? [] : ["-r"]), "--", name])}`;
    },
    notes: ([module]) =>
      want.blacklist && loaded === undefined && module?.kind === "folder"
        ? [`${name} is blacklisted, but loaded until the node reboots`]
        : [],
  };
}

const MISSING: FileState = { kind: "missing" };

function diffLoaded(name: string, loaded: boolean | undefined, module: FileState): Difference[] {
  const isLoaded = module.kind === "folder";
  if (loaded === undefined || loaded === isLoaded) return [];
  const words = (is: boolean) => (is ? "loaded" : "not loaded");
  return [{ what: `module ${name}`, have: words(isLoaded), want: words(loaded) }];
}

function diffManaged(have: FileState, path: string, content: string): Difference[] {
  const found = diffFile(have, { path, bytes: Buffer.from(content), mode: MODE });
  return found.map((one) => ({ ...one, what: `${path}: ${one.what}` }));
}

/** The content of the file in /etc/modprobe.d, empty = no file; undefined = it is not ours to say. */
function formatOptions({ name, blacklist, options }: WantedModule & { name: string }): string | undefined {
  if (blacklist === undefined && options === undefined) return undefined;
  const words = Object.entries(options ?? {}).map(([key, value]) => `${key}=${value}`);
  const lines = [
    ...(blacklist ? [`blacklist ${name}\n`] : []),
    ...(words.length > 0 ? [`options ${name} ${words.join(" ")}\n`] : []),
  ];
  return lines.length === 0 ? "" : HEADER + lines.join("");
}
