import { MusterError } from "../schemas/errors.js";
import type { ChangeContext, Difference, FileState, Playbook, Probe, Resource } from "./engine/resource.js";
import { runAsRoot } from "./engine/sudo.js";
import { unifiedDiff } from "./engine/unifieddiff.js";
import {
  type BootFiles,
  CMDLINE,
  DROP_IN,
  GRUB,
  GRUB_FOLDER,
  KERNELSTUB,
  planStaging,
  type StagingStep,
} from "./kernel/bootloaders.js";
import { isPlainOption } from "./kernel/kernelcmdline.js";
import { isSameParameterValue } from "./kernel/parametervalue.js";

const STAGED_RESOURCE = "boot parameters";
const MAX_CONFIG_BYTES = 1024 * 1024;
const GRUB_CONFIGS = ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg"];
const LOADER_FILES = [GRUB, GRUB_FOLDER, DROP_IN, CMDLINE, KERNELSTUB, ...GRUB_CONFIGS];

/** Kernel module parameters: the running values and, if these differ, the values staged for the next boot. */
const kernelParams: Playbook = ({ node }) => {
  const want = Object.entries(node.profile.kernel);
  return want.length === 0 ? [] : [stagedResource(want), runningResource(want)];
};
export default kernelParams;

type Options = [name: string, value: string][];

/** The values of the running kernel. Only a reboot changes them. */
function runningResource(want: Options): Resource<FileState[]> {
  return {
    name: "kernel parameters",
    probe: { ask: "all", of: parameterProbes(want) },
    diff: (states) => diffParameters(want, states),
    after: [STAGED_RESOURCE],
    reboot: true,
  };
}

/** The values for the next boot; in sync if the running kernel has the wanted values. */
function stagedResource(want: Options): Resource<FileState[]> {
  const parameters = parameterProbes(want);
  const steps = (states: FileState[]) =>
    diffParameters(want, states).length === 0 ? [] : planStaging(readBootFiles(states.slice(parameters.length)), want);
  return {
    name: STAGED_RESOURCE,
    probe: { ask: "all", of: [...parameters, ...LOADER_FILES.map((path) => fileProbe(path))] },
    diff: (states) => diffStaging(steps(states), want),
    change: (states, context) => stageParameters(steps(states), want, context),
  };
}

function fileProbe(path: string): Probe {
  return { ask: "file", path, cap: MAX_CONFIG_BYTES };
}

/** Two probes for each parameter: its file, and the folder of its module. */
function parameterProbes(want: Options): Probe[] {
  return want.flatMap(([name]) => {
    const [module, parameter] = name.split(".") as [string, string];
    const folder = `/sys/module/${module.replaceAll("-", "_")}`;
    return [fileProbe(`${folder}/parameters/${parameter}`), fileProbe(folder)];
  });
}

/** Pure: lists the parameters with other values. `states`: for each parameter its file and the folder of its module. */
function diffParameters(want: Options, states: FileState[]): Difference[] {
  return want.flatMap(([name, value], index): Difference[] => {
    const [file, module] = [states[2 * index], states[2 * index + 1]];
    const text = readContent(file)?.trim();
    if (text !== undefined && isSameParameterValue(value, text)) return [];
    return [{ what: name, have: text?.slice(0, 100) ?? explainUnknown(name, file, module), want: value }];
  });
}

function explainUnknown(name: string, file: FileState | undefined, module: FileState | undefined): string {
  if (file?.error !== undefined) return `cannot be read: ${file.error}`;
  const [moduleName, parameter] = name.split(".");
  if (module?.kind !== "folder") return `the module ${moduleName} is not loaded`;
  return `the module ${moduleName} has no parameter ${parameter}`;
}

function readContent(state: FileState | undefined): string | undefined {
  if (state?.kind !== "file" || state.content === undefined) return undefined;
  return Buffer.from(state.content, "base64").toString("utf8");
}

function readBootFiles(states: FileState[]): BootFiles {
  const [grub, folder, dropIn, cmdline, kernelstub, ...configs] = states;
  return {
    grub: readContent(grub),
    hasGrubFolder: folder?.kind === "folder",
    dropIn: readContent(dropIn),
    grubConfig: configs.map(readContent).find((text) => text !== undefined),
    cmdline: readContent(cmdline),
    kernelstub: readContent(kernelstub),
  };
}

function diffStaging(steps: StagingStep[] | undefined, want: Options): Difference[] {
  const wanted = want.map(([name, value]) => `${name}=${value}`).join(" ");
  if (steps === undefined) return [{ what: "boot loader", have: "no supported one found", want: wanted }];
  return steps.map((step) => {
    if (step.loader === "kernelstub")
      return { what: "kernelstub", have: step.remove.join(" ") || "not set", want: wanted };
    if (!("write" in step)) return { what: step.file, have: step.have, want: wanted };
    const diff = unifiedDiff(step.file, Buffer.from(step.have), Buffer.from(step.write));
    return { what: step.file, have: "a different value, or none, for the next boot", want: wanted, diff };
  });
}

async function stageParameters(steps: StagingStep[] | undefined, want: Options, context: ChangeContext): Promise<void> {
  const wanted = want.map(([name, value]) => `${name}=${value}`).join(" ");
  const byHand = { next: `Add ${wanted} to the kernel command line of its boot loader by hand, then reboot it.` };
  if (steps === undefined)
    throw new MusterError("BOOT_LOADER", "found neither GRUB nor /etc/kernel/cmdline nor kernelstub", byHand);
  if (!want.every(([, value]) => isPlainOption(value)))
    throw new MusterError("BOOT_LOADER", `${wanted} cannot be written without quotes`, byHand);
  for (const step of steps) {
    if (step.loader === "kernelstub") await runKernelstub(step.remove, step.add, context);
    else if ("write" in step) await context.place({ path: step.file, content: Buffer.from(step.write), become: true });
  }
  const loaders = new Set(steps.map(({ loader }) => loader));
  if (loaders.has("GRUB")) await context.$`${runAsRoot(["/bin/sh", "-c", MAKE_GRUB_CONFIG])}`;
  if (loaders.has("systemd-boot")) await context.$`${runAsRoot(["/bin/sh", "-c", MAKE_BOOT_ENTRY])}`;
}

async function runKernelstub(remove: string[], add: string[], { $ }: ChangeContext): Promise<void> {
  if (remove.length > 0) await $`${runAsRoot(["kernelstub", "--delete-options", remove.join(" ")])}`;
  await $`${runAsRoot(["kernelstub", "--add-options", add.join(" ")])}`;
}

const SBIN_PATH = "PATH=$PATH:/usr/sbin:/sbin";
/** Runs update-grub (Debian, Ubuntu), else the grub-mkconfig that it wraps; does nothing if GRUB is not installed. */
const MAKE_GRUB_CONFIG = `${SBIN_PATH}
if command -v update-grub >/dev/null; then exec update-grub; fi
for name in grub2 grub; do
  if command -v $name-mkconfig >/dev/null && [ -f /boot/$name/grub.cfg ]; then exec $name-mkconfig -o /boot/$name/grub.cfg; fi
done`;
const MAKE_BOOT_ENTRY = `${SBIN_PATH}
release=$(uname -r)
if command -v kernel-install >/dev/null && [ -f "/boot/vmlinuz-$release" ]; then
  exec kernel-install add "$release" "/boot/vmlinuz-$release"
fi`;
