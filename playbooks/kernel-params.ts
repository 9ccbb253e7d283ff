import { decodeBytes, encodeBytes } from "../schemas/bytetext.js";
import type { CommandState, Difference, FileState, Playbook, Probe, Resource } from "./engine/resource.js";
import { unifiedDiff } from "./engine/unifieddiff.js";
import {
  type BootFiles,
  CMDLINE,
  DROP_IN,
  GRUB,
  GRUB_FOLDER,
  KERNELSTUB,
  OLD_DROP_IN,
  planStaging,
  type StagingStep,
} from "./kernel/bootloaders.js";
import { BOOT_SCRIPT, parseBootEntries } from "./kernel/bootprobe.js";
import type { KernelOptions } from "./kernel/kernelcmdline.js";
import { isSameParameterValue } from "./kernel/parametervalue.js";
import { stageParameters } from "./kernel/stageparameters.js";

const STAGED_RESOURCE = "boot parameters";
const MAX_CONFIG_BYTES = 1024 * 1024;
const GRUB_CONFIGS = ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg"];
const BOOT_PROBE_TIMEOUT_SECONDS = 30;
const LOADER_FILES = [GRUB, GRUB_FOLDER, DROP_IN, OLD_DROP_IN, CMDLINE, KERNELSTUB, ...GRUB_CONFIGS];

/** Kernel module parameters: the running values and, if these differ, the values staged for the next boot. */
const kernelParams: Playbook = ({ node }) => {
  const want = Object.entries(node.profile.kernel);
  return want.length === 0 ? [] : [stagedResource(want), runningResource(want)];
};
export default kernelParams;

/** The values of the running kernel. Only a reboot changes them. */
function runningResource(want: KernelOptions): Resource<FileState[]> {
  return {
    name: "kernel parameters",
    probe: { ask: "all", of: parameterProbes(want) },
    diff: (states) => diffParameters(want, states),
    after: [STAGED_RESOURCE],
    reboot: true,
  };
}

/** The values for the next boot; in sync if the running kernel has the wanted values. */
function stagedResource(want: KernelOptions): Resource<[...FileState[], CommandState]> {
  const parameters = parameterProbes(want);
  const boot: Probe = { ask: "command", argv: ["/bin/sh", "-c", BOOT_SCRIPT], timeout: BOOT_PROBE_TIMEOUT_SECONDS };
  const steps = (answers: [...FileState[], CommandState]) => {
    const states = answers.slice(0, -1) as FileState[];
    if (diffParameters(want, states).length === 0) return [];
    return planStaging(readBootFiles(states.slice(parameters.length), answers.at(-1) as CommandState), want);
  };
  return {
    name: STAGED_RESOURCE,
    probe: { ask: "all", of: [...parameters, ...LOADER_FILES.map((path) => fileProbe(path)), boot] },
    diff: (states) => diffStaging(steps(states), want),
    change: (states, context) => stageParameters(steps(states), want, context),
  };
}

function fileProbe(path: string): Probe {
  return { ask: "file", path, cap: MAX_CONFIG_BYTES };
}

/** Two probes for each parameter: its file, and the folder of its module. */
function parameterProbes(want: KernelOptions): Probe[] {
  return want.flatMap(([name]) => {
    const [module, parameter] = name.split(".") as [string, string];
    const folder = `/sys/module/${module.replaceAll("-", "_")}`;
    return [fileProbe(`${folder}/parameters/${parameter}`), fileProbe(folder)];
  });
}

/** Pure: lists the parameters with other values. `states`: for each parameter its file and the folder of its module. */
function diffParameters(want: KernelOptions, states: FileState[]): Difference[] {
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
  return decodeBytes(Buffer.from(state.content, "base64"));
}

function readBootFiles(states: FileState[], boot: CommandState): BootFiles {
  const [grub, folder, dropIn, oldDropIn, cmdline, kernelstub, ...configs] = states;
  return {
    grub: readContent(grub),
    hasGrubFolder: folder?.kind === "folder",
    dropIn: readContent(dropIn),
    oldDropIn: readContent(oldDropIn),
    grubConfig: configs.map(readContent).find((text) => text !== undefined),
    cmdline: readContent(cmdline),
    kernelstub: readContent(kernelstub),
    boot: parseBootEntries(boot.stdout),
  };
}

function diffStaging(steps: StagingStep[] | undefined, want: KernelOptions): Difference[] {
  const wanted = want.map(([name, value]) => `${name}=${value}`).join(" ");
  if (steps === undefined) return [{ what: "boot loader", have: "no supported one found", want: wanted }];
  return steps.map((step) => {
    if (step.loader === "kernelstub")
      return { what: "kernelstub", have: step.remove.join(" ") || "not set", want: wanted };
    if ("problem" in step) return { what: step.file, have: step.problem, want: wanted };
    if (!("write" in step)) return { what: step.file, have: step.have, want: "remove" in step ? "no file" : wanted };
    const diff = unifiedDiff(step.file, encodeBytes(step.before ?? ""), encodeBytes(step.write));
    return { what: step.file, have: "a different value, or none, for the next boot", want: wanted, diff };
  });
}
