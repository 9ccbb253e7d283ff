import { createShellEditor } from "../manifest/shellassignment.js";
import { findOptions, hasOption, setOption } from "./kernelcmdline.js";

/** The contents of the boot loaders' files; undefined: there is no such file. */
export interface BootFiles {
  /** /etc/default/grub */
  grub?: string;
  /** Whether /etc/default/grub.d exists, and the content of muster's file in it. */
  hasGrubFolder: boolean;
  dropIn?: string;
  /** The configuration that GRUB reads at boot; undefined: missing or not readable. */
  grubConfig?: string;
  /** /etc/kernel/cmdline: systemd-boot and unified kernel images. */
  cmdline?: string;
  /** /etc/kernelstub/configuration */
  kernelstub?: string;
}

export const GRUB = "/etc/default/grub";
export const GRUB_FOLDER = "/etc/default/grub.d";
export const DROP_IN = `${GRUB_FOLDER}/99-muster.cfg`;
export const CMDLINE = "/etc/kernel/cmdline";
export const KERNELSTUB = "/etc/kernelstub/configuration";

/** One change that is not staged yet. `write`: the new content of the file; steps without it are done by programs. */
export type StagingStep =
  | { loader: "GRUB" | "systemd-boot"; file: string; have: string; write: string }
  | { loader: "GRUB"; file: "grub.cfg"; have: string }
  | { loader: "kernelstub"; remove: string[]; add: string[] };

type KernelOptions = [name: string, value: string][];

/** Pure: plans the steps that give the next boot these parameters; empty: all staged. undefined: no supported boot loader. */
export function planStaging(loaders: BootFiles, want: KernelOptions): StagingStep[] | undefined {
  const hasGrub = loaders.grub !== undefined || loaders.hasGrubFolder;
  if (!hasGrub && loaders.cmdline === undefined && loaders.kernelstub === undefined) return undefined;
  return [
    ...(hasGrub ? planGrub(loaders, want) : []),
    ...(loaders.cmdline === undefined ? [] : planCmdline(loaders.cmdline, want)),
    ...(loaders.kernelstub === undefined ? [] : planKernelstub(loaders.kernelstub, want)),
  ];
}

function planGrub(loaders: BootFiles, want: KernelOptions): StagingStep[] {
  const [file, have, write] = loaders.hasGrubFolder
    ? [DROP_IN, loaders.dropIn ?? "", formatDropIn(want)]
    : [GRUB, loaders.grub ?? "", editGrubDefault(loaders.grub ?? "", want)];
  if (have !== write) return [{ loader: "GRUB", file, have, write }];
  // The file takes effect only once GRUB's own configuration has been generated from it.
  const stale = want.filter(([name, value]) => !isInConfig(loaders.grubConfig, name, value));
  return stale.length === 0
    ? []
    : [{ loader: "GRUB", file: "grub.cfg", have: "made before the parameters were staged" }];
}

/** Appends to the variable, so that its parameters override those of /etc/default/grub. */
function formatDropIn(want: KernelOptions): string {
  const options = want.map(([name, value]) => `${name}=${value}`).join(" ");
  return [
    "# Written by `muster provision` (kernel-params), from the inventory; a change here is undone by the next one.",
    `GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT ${options}"`,
    "",
  ].join("\n");
}

/** Without a grub.d folder: sets the parameters in GRUB_CMDLINE_LINUX, and corrects overriding values in the variable after it. */
function editGrubDefault(text: string, want: KernelOptions): string {
  const added = `GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX ${want.map(([name, value]) => `${name}=${value}`).join(" ")}"\n`;
  const changed = editVariable(text, "GRUB_CMDLINE_LINUX", want);
  const first = changed ?? (text.includes(added) ? text : `${text}${/[^\n]$/.test(text) ? "\n" : ""}${added}`);
  const later = createShellEditor("GRUB_CMDLINE_LINUX_DEFAULT").find(first);
  const words = "found" in later ? later.found.at(-1)!.text : "";
  const ours = want.filter(([name]) => findOptions(words, name).length > 0);
  return editVariable(first, "GRUB_CMDLINE_LINUX_DEFAULT", ours) ?? first;
}

/** Sets these parameters in a variable of a shell file; undefined if it is missing or computed at run time. */
function editVariable(text: string, variable: string, want: KernelOptions): string | undefined {
  const editor = createShellEditor(variable);
  const values = editor.find(text);
  if (!("found" in values)) return undefined;
  const words = want.reduce((before, [name, value]) => setOption(before, name, value), values.found.at(-1)!.text);
  const replaced = editor.replace(text, { kind: "text", text: words });
  return "text" in replaced ? replaced.text : undefined;
}

function isInConfig(config: string | undefined, name: string, value: string): boolean {
  if (config === undefined) return true;
  return config.split("\n").some((line) => /^\s*linux/.test(line) && hasOption(line, name, value));
}

function planCmdline(text: string, want: KernelOptions): StagingStep[] {
  const line = text.replace(/\s+$/, "");
  const changed = want.reduce((before, [name, value]) => setOption(before, name, value), line);
  return changed === line ? [] : [{ loader: "systemd-boot", file: CMDLINE, have: text, write: `${changed}\n` }];
}

function planKernelstub(text: string, want: KernelOptions): StagingStep[] {
  const options = readKernelstubOptions(text);
  const missing = want.filter(([name, value]) => !hasOption(options, name, value));
  if (missing.length === 0) return [];
  const remove = missing.flatMap(([name]) => findOptions(options, name));
  return [{ loader: "kernelstub", remove, add: missing.map(([name, value]) => `${name}=${value}`) }];
}

/** Reads the options of the `user` section of kernelstub's configuration; empty if it is invalid. */
function readKernelstubOptions(text: string): string {
  try {
    const options = (JSON.parse(text) as { user?: { kernel_options?: unknown } } | null)?.user?.kernel_options;
    return Array.isArray(options) ? options.filter((one) => typeof one === "string").join(" ") : "";
  } catch {
    return "";
  }
}
