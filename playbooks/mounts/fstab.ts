import type { WantedMount } from "../../fleet/nodestate.js";

/** An entry of /etc/fstab or /proc/self/mounts, with the escapes of its fields decoded. */
export interface MountEntry {
  device: string;
  folder: string;
  type: string;
  options: readonly string[];
  check: number;
}

/** Pure: reads the entries of a text in the format of fstab(5); comments and other lines are left out. */
export function parseMountEntries(text: string): MountEntry[] {
  return text.split("\n").flatMap((line) => parseEntry(line) ?? []);
}

/**
 * Pure: returns the text of /etc/fstab with an entry for the folder: the last one there is replaced, and others for the same folder are
 * removed; without one it is appended. Other lines stay as they are.
 */
export function setEntry(text: string, folder: string, want: WantedMount): string {
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const isOurs = (line: string) => parseEntry(line)?.folder === folder;
  const at = lines.findLastIndex(isOurs);
  const entry = `${formatEntry(folder, want)}\n`;
  if (at < 0) return `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${entry}`;
  return lines.flatMap((line, index) => (index === at ? [entry] : isOurs(line) ? [] : [line])).join("");
}

/** Pure: whether an entry of /etc/fstab says what is wanted. */
export function isSameEntry(entry: MountEntry, want: WantedMount): boolean {
  return (
    entry.device === want.device &&
    entry.type === want.type &&
    entry.options.join() === optionsOf(want).join() &&
    entry.check === (want.check ?? 0)
  );
}

/** Options as mount takes them. */
export function optionsOf({ options = ["defaults"] }: WantedMount): readonly string[] {
  return options;
}

export function formatEntry(folder: string, want: WantedMount): string {
  const { device, type, check = 0 } = want;
  return [escapeField(device), escapeField(folder), type, optionsOf(want).join(","), "0", `${check}`].join(" ");
}

function parseEntry(line: string): MountEntry | undefined {
  const [device, folder, type, options = "defaults", , check = "0"] = line.trim().split(/\s+/);
  if (device === undefined || folder === undefined || type === undefined || device.startsWith("#")) return undefined;
  return {
    device: decodeField(device),
    folder: decodeField(folder),
    type,
    options: options.split(","),
    check: Number(check) || 0,
  };
}

/** Returns a field as fstab(5) writes it: blanks, tabs, line breaks and backslashes are octal escapes. */
export function escapeField(text: string): string {
  return text.replace(/[ \t\n\\]/g, (sign) => `\\${sign.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

function decodeField(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
