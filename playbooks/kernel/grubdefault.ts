import { findAssignments } from "../manifest/shellscanner.js";
import type { KernelOptions } from "./kernelcmdline.js";

const BEGIN = "# BEGIN muster kernel-params";
const END = "# END muster kernel-params";
/** Earlier lines of muster, at any place of the file. An editor may have given it CRLF line breaks. */
const BLOCK = new RegExp(`^${BEGIN}\\r?\\n(?:(?!# (?:BEGIN|END) ).*\\n)*${END}\\r?(?:\\n|$)`, "gm");

/**
 * Appends the parameters to both variables of /etc/default/grub, after all other lines, and removes earlier lines of muster. The kernel
 * takes the last value on its command line, and GRUB_CMDLINE_LINUX_DEFAULT is the last part of it, so they override whatever the file
 * computes or has in the arms of an `if`. Other bytes are kept. undefined: the file ends inside a quote or a here-document.
 */
export function appendToGrubDefault(text: string, want: KernelOptions): string | undefined {
  const own = text.replace(BLOCK, "");
  const lines = [BEGIN, formatAppended("GRUB_CMDLINE_LINUX", want), formatAppended(DEFAULT_VARIABLE, want), END];
  const changed = `${own}${/[^\n]$/.test(own) ? "\n" : ""}${lines.join("\n")}\n`;
  const last = findAssignments(changed).findLast(({ name }) => name === DEFAULT_VARIABLE);
  return last !== undefined && last.start > changed.lastIndexOf(BEGIN) ? changed : undefined;
}

const DEFAULT_VARIABLE = "GRUB_CMDLINE_LINUX_DEFAULT";

/** The content of muster's file in /etc/default/grub.d, which is read after the files before it. */
export function formatDropIn(want: KernelOptions): string {
  return [
    "# Written by `muster provision` (kernel-params), from the inventory; a change here is undone by the next one.",
    formatAppended(DEFAULT_VARIABLE, want),
    "",
  ].join("\n");
}

function formatAppended(variable: string, want: KernelOptions): string {
  return `${variable}="$${variable} ${want.map(([name, value]) => `${name}=${value}`).join(" ")}"`;
}
