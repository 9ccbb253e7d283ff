import { describeKind, diffRights } from "./engine/fileresource.js";
import type { Difference, FileState, PlaybookContext, Resource, TreeState } from "./engine/resource.js";
import { runAsRoot } from "./engine/sudo.js";

/** templates/muster_agent/gpu/lock_files.py has the same path. */
const LOCK_PARENT = "/var/lib/muster";
const LOCK_FOLDER = `${LOCK_PARENT}/gpu-locks`;
const LOCK_RIGHTS = { folder: { mode: 0o755, owner: "root:root" }, file: { mode: 0o644, owner: "root:root" } };

/** A file that is right stays the file that it is: agents may have it locked. */
const MAKE_LOCKS_SCRIPT = `set -eu
umask 022
cd "$1"; shift
for name in "$@"; do
  if [ -L "$name" ] || [ ! -f "$name" ]; then rm -rf -- "$name"; : >"$name"; fi
  chown root:root "$name"
  chmod 644 "$name"
done`;

/**
 * A lock file for each GPU, by which runs of different users keep off each other's GPUs, in other network namespaces (containers),
 * too. Folder and files are root's and nobody else can write to them, so that no user can make, replace or remove one: to lock a
 * file, reading it is enough.
 */
export default async function* gpuLocks({ node, facts }: PlaybookContext): AsyncGenerator<Resource> {
  const { vendor } = node.profile;
  if (vendor === "none") return;
  const count = node.gpus ?? (await facts()).gpus.filter((gpu) => gpu.vendor === vendor).length;
  if (count > 0) yield lockFilesResource(Array.from({ length: count }, (_, index) => `gpu-${index}.lock`)) as Resource;
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

/** Pure: what is missing, or is not root's alone. */
export function diffLocks(names: string[], parent: FileState, tree: TreeState): Difference[] {
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
