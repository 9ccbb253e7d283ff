import { expectGpus, gpuLockName } from "../fleet/gpus/gpugroups.js";
import { describeKind, diffRights } from "./engine/fileresource.js";
import type { Difference, FileState, PlaybookContext, Resource, TreeState } from "./engine/resource.js";
import { runAsRoot } from "./engine/sudo.js";

/** templates/muster_agent/locks/lock_files.py has the same path. */
const LOCK_PARENT = "/var/lib/muster";
const LOCK_FOLDER = `${LOCK_PARENT}/gpu-locks`;
const LOCK_RIGHTS = { folder: { mode: 0o755, owner: "root:root" }, file: { mode: 0o644, owner: "root:root" } };

/** Creates what is missing. An existing file is never replaced, because agents may have it locked. */
const MAKE_LOCKS_SCRIPT = `set -eu
umask 022
cd "$1"; shift
for name in "$@"; do
  if [ -L "$name" ] || [ ! -f "$name" ]; then rm -rf -- "$name"; : >"$name"; fi
  chown root:root "$name"
  chmod 644 "$name"
done`;

/**
 * Creates a lock file for each GPU, which keeps runs of different users, and runs in other containers, from using the same GPU. Folder and
 * files belong to root and are not writable by others, so that no user can create, replace or remove one; locking requires read permission
 * only.
 */
export default async function* gpuLocks({ node, facts }: PlaybookContext): AsyncGenerator<Resource> {
  const names: string[] = [];
  for (const { vendor, count } of expectGpus(node)) {
    const all = count ?? (await facts()).gpus.filter((gpu) => gpu.vendor === vendor).length;
    names.push(...Array.from({ length: all }, (_, index) => `gpu-${gpuLockName(node, vendor, index)}.lock`));
  }
  if (names.length > 0) yield lockFilesResource(names) as Resource;
}

function lockFilesResource(names: string[]): Resource<[FileState, TreeState]> {
  return {
    name: "gpu locks",
    probe: {
      ask: "all",
      of: [
        { ask: "file", path: LOCK_PARENT, cap: 0 },
        { ask: "tree", path: LOCK_FOLDER },
      ],
    },
    diff: ([parent, tree]) => diffLocks(names, parent, tree),
    change: async (_, { folder, $ }) => {
      for (const path of [LOCK_PARENT, LOCK_FOLDER]) await folder({ path, ...LOCK_RIGHTS.folder, become: true });
      await $`${runAsRoot(["/bin/sh", "-c", MAKE_LOCKS_SCRIPT, "make", LOCK_FOLDER, ...names])}`;
    },
  };
}

/** Pure: lists what is missing, or has another mode or owner. */
function diffLocks(names: string[], parent: FileState, tree: TreeState): Difference[] {
  const folders: [string, FileState | undefined][] = [
    [LOCK_PARENT, parent],
    [LOCK_FOLDER, tree["."]],
  ];
  const files = names.map((name): [string, FileState | undefined] => [
    name,
    Object.hasOwn(tree, name) ? tree[name] : undefined,
  ]);
  return [
    ...folders.flatMap(([what, state]) => diffLockEntry(what, state, "folder")),
    ...files.flatMap(([what, state]) => diffLockEntry(what, state, "file")),
  ];
}

function diffLockEntry(name: string, state: FileState | undefined, kind: "folder" | "file"): Difference[] {
  const have = state ?? { kind: "missing" };
  if (have.kind !== kind) return [{ what: name, have: have.error ?? describeKind(have), want: `a ${kind}` }];
  return diffRights(have, LOCK_RIGHTS[kind]).map((one) => ({ ...one, what: `${name}: ${one.what}` }));
}
