import { MusterError } from "../schemas/errors.js";
import { asRoot } from "./engine/become.js";
import type { Difference, FileState, Hands, Playbook, Probe, Resource } from "./engine/resource.js";
import { unifiedDiff } from "./engine/unified.js";
import { isPlainOption } from "./kernel/line.js";
import {
  CMDLINE,
  DROP_IN,
  GRUB,
  GRUB_FOLDER,
  KERNELSTUB,
  type Loaders,
  type Step,
  stagingSteps,
} from "./kernel/loaders.js";
import { isSameParameter } from "./kernel/value.js";

const STAGED = "boot parameters";
const LARGEST = 1024 * 1024;
const GRUB_CONFIGS = ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg"];
const LOADER_FILES = [GRUB, GRUB_FOLDER, DROP_IN, CMDLINE, KERNELSTUB, ...GRUB_CONFIGS];

/** Kernel module parameters: as they are now, and, where they are wrong, as the next boot will set them. */
const kernelParams: Playbook = ({ node }) => {
  const want = Object.entries(node.profile.kernel);
  return want.length === 0 ? [] : [staged(want), running(want)];
};
export default kernelParams;

type Options = [name: string, value: string][];

/** What the kernel says now. Only a reboot changes it. */
function running(want: Options): Resource<FileState[]> {
  return {
    name: "kernel parameters",
    probe: { ask: "all", of: parameterProbes(want) },
    diff: (states) => wrongParameters(want, states),
    after: [STAGED],
    reboot: true,
  };
}

/** What the next boot will say; asked for only while the kernel says something else. */
function staged(want: Options): Resource<FileState[]> {
  const parameters = parameterProbes(want);
  const steps = (states: FileState[]) =>
    wrongParameters(want, states).length === 0 ? [] : stagingSteps(loadersOf(states.slice(parameters.length)), want);
  return {
    name: STAGED,
    probe: { ask: "all", of: [...parameters, ...LOADER_FILES.map((path) => fileProbe(path))] },
    diff: (states) => stagingDifferences(steps(states), want),
    change: (states, hands) => stage(steps(states), want, hands),
  };
}

function fileProbe(path: string): Probe {
  return { ask: "file", path, cap: LARGEST };
}

/** The parameter, and its module, for each. */
function parameterProbes(want: Options): Probe[] {
  return want.flatMap(([name]) => {
    const [module, parameter] = name.split(".") as [string, string];
    const folder = `/sys/module/${module.replaceAll("-", "_")}`;
    return [fileProbe(`${folder}/parameters/${parameter}`), fileProbe(folder)];
  });
}

/** Pure. `states`: for each parameter its file and its module's folder. */
export function wrongParameters(want: Options, states: FileState[]): Difference[] {
  return want.flatMap(([name, value], index): Difference[] => {
    const [file, module] = [states[2 * index], states[2 * index + 1]];
    const text = textOf(file)?.trim();
    if (text !== undefined && isSameParameter(value, text)) return [];
    return [{ what: name, have: text?.slice(0, 100) ?? whyUnknown(name, file, module), want: value }];
  });
}

function whyUnknown(name: string, file: FileState | undefined, module: FileState | undefined): string {
  if (file?.error !== undefined) return `cannot be read: ${file.error}`;
  const [moduleName, parameter] = name.split(".");
  if (module?.kind !== "folder") return `the module ${moduleName} is not loaded`;
  return `the module ${moduleName} has no parameter ${parameter}`;
}

function textOf(state: FileState | undefined): string | undefined {
  if (state?.kind !== "file" || state.content === undefined) return undefined;
  return Buffer.from(state.content, "base64").toString("utf8");
}

function loadersOf(states: FileState[]): Loaders {
  const [grub, folder, dropIn, cmdline, kernelstub, ...configs] = states;
  return {
    grub: textOf(grub),
    hasGrubFolder: folder?.kind === "folder",
    dropIn: textOf(dropIn),
    grubConfig: configs.map(textOf).find((text) => text !== undefined),
    cmdline: textOf(cmdline),
    kernelstub: textOf(kernelstub),
  };
}

function stagingDifferences(steps: Step[] | undefined, want: Options): Difference[] {
  const wanted = want.map(([name, value]) => `${name}=${value}`).join(" ");
  if (steps === undefined) return [{ what: "boot loader", have: "none that is known here", want: wanted }];
  return steps.map((step) => {
    if (step.loader === "kernelstub")
      return { what: "kernelstub", have: step.remove.join(" ") || "not set", want: wanted };
    if (!("write" in step)) return { what: step.file, have: step.have, want: wanted };
    const diff = unifiedDiff(step.file, Buffer.from(step.have), Buffer.from(step.write));
    return { what: step.file, have: "another value, or none, for the next boot", want: wanted, diff };
  });
}

async function stage(steps: Step[] | undefined, want: Options, hands: Hands): Promise<void> {
  const wanted = want.map(([name, value]) => `${name}=${value}`).join(" ");
  const byHand = { next: `Add ${wanted} to the kernel command line of its boot loader by hand, then reboot it.` };
  if (steps === undefined)
    throw new MusterError("BOOT_LOADER", 69, "neither GRUB nor /etc/kernel/cmdline nor kernelstub is there", byHand);
  if (!want.every(([, value]) => isPlainOption(value)))
    throw new MusterError("BOOT_LOADER", 69, `${wanted} cannot be written without quotes`, byHand);
  for (const step of steps) {
    if (step.loader === "kernelstub") await kernelstub(step.remove, step.add, hands);
    else if ("write" in step) await hands.place({ path: step.file, content: Buffer.from(step.write), become: true });
  }
  const loaders = new Set(steps.map(({ loader }) => loader));
  if (loaders.has("GRUB")) await hands.$`${asRoot(["/bin/sh", "-c", MAKE_GRUB_CONFIG])}`;
  if (loaders.has("systemd-boot")) await hands.$`${asRoot(["/bin/sh", "-c", MAKE_BOOT_ENTRY])}`;
}

async function kernelstub(remove: string[], add: string[], { $ }: Hands): Promise<void> {
  if (remove.length > 0) await $`${asRoot(["kernelstub", "--delete-options", remove.join(" ")])}`;
  await $`${asRoot(["kernelstub", "--add-options", add.join(" ")])}`;
}

const PATH = "PATH=$PATH:/usr/sbin:/sbin";
/** Debian's and Ubuntu's program, else what it stands for; nothing where GRUB itself is not installed. */
const MAKE_GRUB_CONFIG = `${PATH}
if command -v update-grub >/dev/null; then exec update-grub; fi
for name in grub2 grub; do
  if command -v $name-mkconfig >/dev/null && [ -f /boot/$name/grub.cfg ]; then exec $name-mkconfig -o /boot/$name/grub.cfg; fi
done`;
const MAKE_BOOT_ENTRY = `${PATH}
release=$(uname -r)
if command -v kernel-install >/dev/null && [ -f "/boot/vmlinuz-$release" ]; then
  exec kernel-install add "$release" "/boot/vmlinuz-$release"
fi`;
