import type { WantedMount } from "../fleet/nodestate.js";
import { decodeBytes, encodeBytes } from "../schemas/bytetext.js";
import { MusterError } from "../schemas/errors.js";
import { findEditProblem, isPrivate } from "./engine/fileresource.js";
import type { CommandState, Difference, FileState, PlaybookContext, Resource } from "./engine/resource.js";
import { runAsRoot } from "./engine/sudo.js";
import { MAX_DIFF_BYTES, unifiedDiff } from "./engine/unifieddiff.js";
import { escapeField, formatEntry, isSameEntry, optionsOf, parseMountEntries, setEntry } from "./mounts/fstab.js";
import { diffMount, LOOK_SCRIPT, parseMountState } from "./mounts/mountstate.js";

const FSTAB = "/etc/fstab";
const LOOK_TIMEOUT_SECONDS = 15;
const MOUNT_SECONDS = 60;

/** Keeps file systems mounted, now and at boot: `mounts` of the inventory. */
export default function* mounts({ node }: PlaybookContext): Generator<Resource> {
  for (const [folder, want] of Object.entries(node.state.mounts)) yield mountResource({ folder, ...want }) as Resource;
}

/**
 * Returns a resource for a mounted file system and its entry in /etc/fstab. It is mounted, or mounted again with its options, before the
 * entry is written, so that a wrong one never gets there; what somebody else has mounted at the folder is left alone.
 */
export function mountResource({
  folder,
  ...want
}: WantedMount & { folder: string }): Resource<[FileState, CommandState]> {
  const argv = ["/bin/sh", "-c", LOOK_SCRIPT, "look", folder, want.device, escapeField(folder)];
  return {
    name: `mount ${folder}`,
    probe: {
      ask: "all",
      of: [
        { ask: "file", path: FSTAB, cap: MAX_DIFF_BYTES, become: true },
        { ask: "command", argv, timeout: LOOK_TIMEOUT_SECONDS, become: true },
      ],
    },
    diff: ([fstab, answer]) => {
      const mount = diffMount(want, parseMountState(answer.stdout));
      return [
        ...(mount === undefined ? [] : [{ what: folder, have: mount.have, want: mount.want }]),
        ...diffEntry(folder, want, fstab),
      ];
    },
    change: async ([fstab, answer], context) => {
      const state = parseMountState(answer.stdout);
      const mount = diffMount(want, state);
      const unreadable = findEditProblem(fstab);
      if (unreadable !== undefined) throw new MusterError("REFUSED", `${FSTAB}: ${unreadable}`);
      if (mount?.refusal !== undefined)
        throw new MusterError("REFUSED", `${folder}: ${mount.have}`, { next: mount.refusal });
      if (state.mounted === undefined && state.place === "missing")
        await context.folder({ path: folder, become: true });
      const options = optionsOf(want).join(",");
      const words =
        state.mounted === undefined
          ? ["-t", want.type, "-o", options, "--", want.device, folder]
          : ["-o", `remount,${mount?.want === "writable" ? "rw," : ""}${options}`, "--", folder];
      await context.$`${runAsRoot(["timeout", `${MOUNT_SECONDS}`, "mount", ...words])}`;
      if (diffEntry(folder, want, fstab).length === 0) return;
      const content = encodeBytes(setEntry(readText(fstab), folder, want));
      await context.place({ path: FSTAB, content, become: true });
    },
  };
}

function diffEntry(folder: string, want: WantedMount, fstab: FileState): Difference[] {
  const unreadable = findEditProblem(fstab);
  const wanted = formatEntry(folder, want);
  if (unreadable !== undefined) return [{ what: FSTAB, have: unreadable, want: wanted }];
  const text = readText(fstab);
  const entries = parseMountEntries(text).filter((one) => one.folder === folder);
  const [entry] = entries;
  if (entries.length === 1 && isSameEntry(entry!, want)) return [];
  const diff = isPrivate(fstab)
    ? undefined
    : unifiedDiff(FSTAB, encodeBytes(text), encodeBytes(setEntry(text, folder, want)));
  const have = entry === undefined ? "no entry" : entries.length > 1 ? `${entries.length} entries` : "another entry";
  return [{ what: FSTAB, have, want: wanted, diff }];
}

function readText({ content = "" }: FileState): string {
  return decodeBytes(Buffer.from(content, "base64"));
}
