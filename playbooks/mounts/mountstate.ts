import type { WantedMount } from "../../fleet/nodestate.js";
import { type MountEntry, optionsOf, parseMountEntries } from "./fstab.js";

/** What is mounted at a folder. */
export interface MountState {
  /** The last mount there; undefined = none. */
  mounted?: MountEntry;
  /** The device that is mounted, and the one that is wanted, with links resolved; undefined = there is no such device. */
  mountedDevice?: string;
  wantedDevice?: string;
  /** What is at the path where nothing is mounted. */
  place: "missing" | "folder" | "other";
}

/**
 * Prints `NAME VALUE` lines. $1: folder, $2: wanted device, $3: the folder as /proc/self/mounts writes it. What is mounted is not touched,
 * because a file server that does not answer would hang it.
 */
export const LOOK_SCRIPT = `export PATH="$PATH:/usr/sbin:/sbin"
real() { case $1 in /*) readlink -f -- "$1";; *) printf '%s\\n' "$1";; esac; }
case $2 in
  UUID=*|LABEL=*|PARTUUID=*|PARTLABEL=*) echo "wanted $(findfs "$2" 2>/dev/null)";;
  *) echo "wanted $(real "$2")";;
esac
line=$(grep -F " $3 " /proc/self/mounts | at=$3 awk '$2 == ENVIRON["at"]' | tail -n1)
if [ -n "$line" ]; then
  printf 'mount %s\\n' "$line"
  echo "device $(real "\${line%% *}")"
elif [ -L "$1" ]; then echo "place other"
elif [ -d "$1" ]; then echo "place folder"
elif [ -e "$1" ]; then echo "place other"
fi
exit 0`;

/** Pure: reads what LOOK_SCRIPT prints. */
export function parseMountState(answer: string): MountState {
  const values = new Map(answer.split("\n").map((line) => [line.split(" ", 1)[0]!, line.slice(line.indexOf(" ") + 1)]));
  const place = values.get("place");
  return {
    mounted: parseMountEntries(values.get("mount") ?? "")[0],
    mountedDevice: values.get("device") || undefined,
    wantedDevice: values.get("wanted") || undefined,
    place: place === "folder" || place === "other" ? place : "missing",
  };
}

/** Options that the kernel shows as they are given. Others, such as sizes, it shows in forms of its own. */
const VISIBLE_OPTIONS = ["ro", "noexec", "nosuid", "nodev", "noatime", "nodiratime"];

/** How a mount differs. `refusal`: what to do there, where muster changes nothing. */
export interface MountDifference {
  have: string;
  want: string;
  change: "mount" | "remount";
  refusal?: string;
}

/** Pure: compares what is mounted at a folder with what is wanted; undefined = it is right. */
export function diffMount(want: WantedMount, state: MountState): MountDifference | undefined {
  const wanted = `${want.type} of ${want.device}`;
  const { mounted, place } = state;
  if (/=/.test(want.device) && state.wantedDevice === undefined)
    return {
      have: `no device has ${want.device}`,
      want: wanted,
      change: "mount",
      refusal: "Correct `device`: `lsblk -f`.",
    };
  if (mounted === undefined) {
    if (place !== "other") return { have: "not mounted", want: wanted, change: "mount" };
    return { have: "no folder", want: wanted, change: "mount", refusal: "Move what is there away." };
  }
  const options = optionsOf(want);
  const have = `${mounted.type} of ${mounted.device}`;
  if (!isSameSource(want, options, state))
    return { have, want: wanted, change: "remount", refusal: "Unmount it there if nothing uses it." };
  const missing = options.filter((one) => VISIBLE_OPTIONS.includes(one) && !mounted.options.includes(one));
  if (missing.length > 0)
    return { have: `mounted without ${missing.join(", ")}`, want: missing.join(", "), change: "remount" };
  if (mounted.options.includes("ro") && !options.includes("ro"))
    return { have: "mounted read-only", want: "writable", change: "remount" };
  return undefined;
}

function isSameSource(want: WantedMount, options: readonly string[], state: MountState): boolean {
  // The kernel shows the file system that a bound folder lies in.
  if (options.some((one) => one === "bind" || one === "rbind")) return true;
  const isSameType = want.type === "auto" || familyOf(want.type) === familyOf(state.mounted?.type ?? "");
  return isSameType && (!/^\/|=|:/.test(want.device) || state.wantedDevice === state.mountedDevice);
}

/** Types that the kernel shows under another name. */
function familyOf(type: string): string {
  return /^nfs4?$/.test(type)
    ? "nfs"
    : type.replace(/^(fuse\.|fuseblk$|ntfs-3g$)/, (word) => (word === "fuse." ? "" : "ntfs"));
}
