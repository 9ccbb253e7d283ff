import { asRoot } from "./engine/become.js";
import { kindText, rightsDifferences } from "./engine/file.js";
import type { Difference, FileState, Resource, Subject, TreeState } from "./engine/resource.js";

/** templates/muster_agent/gpu/lock_files.py has the same path. */
const PARENT = "/var/lib/muster";
const FOLDER = `${PARENT}/gpu-locks`;
const RIGHTS = { folder: { mode: 0o755, owner: "root:root" }, file: { mode: 0o644, owner: "root:root" } };

/** A file that is right stays the file that it is: agents may have it locked. */
const MAKE = `set -eu
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
export default async function* gpuLocks({ node, facts }: Subject): AsyncGenerator<Resource> {
  const { vendor } = node.profile;
  if (vendor === "none") return;
  const count = node.gpus ?? (await facts()).gpus.filter((gpu) => gpu.vendor === vendor).length;
  if (count > 0) yield lockFiles(Array.from({ length: count }, (_, index) => `gpu-${index}.lock`)) as Resource;
}

function lockFiles(names: string[]): Resource<[FileState, TreeState]> {
  return {
    name: "gpu locks",
    probe: {
      ask: "all",
      of: [
        { ask: "file", path: PARENT, cap: 0 },
        { ask: "tree", path: FOLDER },
      ],
    },
    diff: ([parent, tree]) => lockDifferences(names, parent, tree),
    change: async (_, { folder, $ }) => {
      for (const path of [PARENT, FOLDER]) await folder({ path, ...RIGHTS.folder, become: true });
      await $`${asRoot(["/bin/sh", "-c", MAKE, "make", FOLDER, ...names])}`;
    },
  };
}

/** Pure: what is missing, or is not root's alone. */
export function lockDifferences(names: string[], parent: FileState, tree: TreeState): Difference[] {
  const folders: [string, FileState | undefined][] = [
    [PARENT, parent],
    [FOLDER, tree["."]],
  ];
  const files = names.map((name): [string, FileState | undefined] => [
    name,
    Object.hasOwn(tree, name) ? tree[name] : undefined,
  ]);
  return [
    ...folders.flatMap(([what, state]) => entryDifferences(what, state, "folder")),
    ...files.flatMap(([what, state]) => entryDifferences(what, state, "file")),
  ];
}

function entryDifferences(name: string, state: FileState | undefined, kind: "folder" | "file"): Difference[] {
  const have = state ?? { kind: "missing" };
  if (have.kind !== kind) return [{ what: name, have: have.error ?? kindText(have), want: `a ${kind}` }];
  return rightsDifferences(have, RIGHTS[kind]).map((one) => ({ ...one, what: `${name}: ${one.what}` }));
}
