import type { BootEntries } from "./bootprobe.js";
import { appendToGrubDefault, formatDropIn } from "./grubdefault.js";
import { findOptions, hasOption, type KernelOptions, setOption } from "./kernelcmdline.js";

/** The contents of the boot loaders' files as `decodeBytes` returns them; undefined: there is no such file. */
export interface BootFiles {
  /** /etc/default/grub */
  grub?: string;
  /** Whether /etc/default/grub.d exists, and the contents of muster's files in it. */
  hasGrubFolder: boolean;
  dropIn?: string;
  oldDropIn?: string;
  /** The configuration that GRUB reads at boot; undefined: missing or not readable. */
  grubConfig?: string;
  /** /etc/kernel/cmdline: systemd-boot and unified kernel images. */
  cmdline?: string;
  /** /etc/kernelstub/configuration */
  kernelstub?: string;
  boot: BootEntries;
}

export const GRUB = "/etc/default/grub";
export const GRUB_FOLDER = "/etc/default/grub.d";
/** The shell sorts it after all usual names, so no other file overrules it. */
export const DROP_IN = `${GRUB_FOLDER}/zzz-muster.cfg`;
/** The name that muster gave the file before: files such as kdump-tools.cfg come after it. */
export const OLD_DROP_IN = `${GRUB_FOLDER}/99-muster.cfg`;
export const CMDLINE = "/etc/kernel/cmdline";
export const KERNELSTUB = "/etc/kernelstub/configuration";

/**
 * One change that is not staged yet. `write`: the new content of the file, and `before` the old one (undefined: there is none); `remove`:
 * the file is deleted; `problem`: why the file cannot be edited. Other steps are done by programs.
 */
export type StagingStep =
  | { loader: "GRUB" | "systemd-boot" | "entries"; file: string; before: string | undefined; write: string }
  | { loader: "GRUB"; file: string; have: string; problem: string }
  | { loader: "GRUB"; file: string; have: string; remove: true }
  | { loader: "GRUB" | "systemd-boot" | "entries"; file: "grub.cfg" | "boot entries"; have: string }
  | { loader: "kernelstub"; remove: string[]; add: string[] };

/** Pure: plans the steps that give the next boot these parameters; empty: all staged. undefined: no supported boot loader. */
export function planStaging(loaders: BootFiles, want: KernelOptions): StagingStep[] | undefined {
  const { boot, cmdline, kernelstub } = loaders;
  const hasGrub = loaders.grub !== undefined || loaders.hasGrubFolder;
  const usesGrubby = boot.hasGrubEntries && boot.hasGrubby;
  if (!hasGrub && !usesGrubby && cmdline === undefined && kernelstub === undefined) return undefined;
  return [
    ...(usesGrubby ? planEntries("entries", boot.entries, want) : hasGrub ? planGrub(loaders, want) : []),
    ...(cmdline === undefined ? [] : planCmdline(cmdline, boot, want)),
    ...(kernelstub === undefined ? [] : planKernelstub(kernelstub, want)),
  ];
}

function planGrub(loaders: BootFiles, want: KernelOptions): StagingStep[] {
  const { boot, grub, dropIn, oldDropIn, grubConfig } = loaders;
  const usesFolder = loaders.hasGrubFolder && !boot.ignoresGrubFolder && !boot.hasGrubEntries;
  const [file, before, write] = usesFolder
    ? [DROP_IN, dropIn, formatDropIn(want)]
    : [GRUB, grub, grub === undefined ? undefined : appendToGrubDefault(grub, want)];
  const removed: StagingStep[] =
    oldDropIn === undefined ? [] : [{ loader: "GRUB", file: OLD_DROP_IN, have: "muster's former file", remove: true }];
  const problem =
    grub === undefined
      ? "cannot be read, or is not a plain file"
      : `line ${grub.split("\n").length}: it ends inside quotes or a here-document, so nothing can be appended`;
  if (write === undefined) return [{ loader: "GRUB", file, have: problem, problem }];
  if (before !== write) return [{ loader: "GRUB", file, before, write }, ...removed];
  // The file takes effect only once GRUB's own configuration has been generated from it.
  if (removed.length > 0) return removed;
  if (boot.hasGrubEntries) return boot.entries.length === 0 ? [] : planEntries("GRUB", boot.entries, want);
  const lines = grubConfig?.split("\n").filter((line) => /^\s*linux/.test(line));
  if (lines === undefined) return [];
  const isStaged = want.every(([name, value]) => lines.some((line) => hasOption(line, name, value)));
  return isStaged ? [] : [{ loader: "GRUB", file: "grub.cfg", have: describeOptions(lines, want) }];
}

/** All entries must have the parameters, because any of them may be booted. */
function planEntries(loader: "GRUB" | "entries", entries: string[], want: KernelOptions): StagingStep[] {
  if (entries.length === 0) return [{ loader, file: "boot entries", have: "only root can read them" }];
  const wrong = entries.filter((line) => !want.every(([name, value]) => hasOption(line, name, value)));
  return wrong.length === 0 ? [] : [{ loader, file: "boot entries", have: describeOptions(wrong, want) }];
}

/** Describes what command lines have for these parameters. */
function describeOptions(lines: string[], want: KernelOptions): string {
  const found = lines.flatMap((line) => want.flatMap(([name]) => findOptions(line, name).slice(-1)));
  return [...new Set(found)].join(" ").slice(0, 200) || "not set";
}

/** Sets the parameters in the lines that have them, else in the first line; comments and line breaks are kept. */
function planCmdline(text: string, boot: BootEntries, want: KernelOptions): StagingStep[] {
  const loader = boot.hasGrubEntries ? "entries" : "systemd-boot";
  const isOption = (line: string) => !/^\s*(#|$)/.test(line);
  const isSet = (lines: string[], [name, value]: KernelOptions[number]) =>
    hasOption(lines.filter(isOption).join(" "), name, value);
  const lines = text.split("\n");
  for (const option of want) {
    if (isSet(lines, option)) continue;
    const places = lines.flatMap((line, index) =>
      isOption(line) && findOptions(line, option[0]).length > 0 ? [index] : [],
    );
    const [first = lines.findIndex(isOption)] = places;
    if (first < 0) lines.splice(lines.length - 1, 0, option.join("="));
    for (const index of places.length > 0 ? places : first < 0 ? [] : [first])
      lines[index] = lines[index]!.replace(
        /^(.*?)(\s*)$/s,
        (_, line: string, end: string) => setOption(line, ...option) + end,
      );
  }
  const changed = lines.join("\n").replace(/[^\n]$/, "$&\n");
  if (lines.join("\n") !== text) return [{ loader, file: CMDLINE, before: text, write: changed }];
  if (loader === "entries" || boot.entries.length === 0) return [];
  const isStaged = want.every(([name, value]) => boot.entries.some((line) => hasOption(line, name, value)));
  return isStaged ? [] : [{ loader, file: "boot entries", have: describeOptions(boot.entries, want) }];
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
