import { readFileSync } from "node:fs";
import { basename, posix } from "node:path";
import { formatBytes } from "../schemas/bytecount.js";
import { MusterError } from "../schemas/errors.js";
import { diffAccess } from "./engine/diffaccess.js";
import { readLocalFile } from "./engine/localsource.js";
import type {
  AccessState,
  ChangeContext,
  CommandState,
  MemoryState,
  PlaybookContext,
  Probe,
  Resource,
  TreeState,
} from "./engine/resource.js";
import { diffTree, findWrongPaths, probeTree, repairTree, type WantedTree } from "./engine/tree.js";
import { diffOwners, takeOwnership } from "./ramdisk/ownership.js";

/** Memory that must stay available when a ramdisk is filled. */
const SPARE_MEMORY_BYTES = 64 * 1024 * 1024;
const PRIVATE_MODES = { file: 0o600, folder: 0o700 };

/** Prints the user's id, whether logind deletes a user's files in /dev/shm at logout, and whether this user lingers. */
const LOGIND_SCRIPT = [
  "id -u",
  "busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager RemoveIPC",
  'loginctl show-user "$(id -u)" --property=Linger',
].join("; ");

/** Folders that are shared by design, and may contain files directly. */
const SHARED_FOLDERS = ["/dev/shm", "/run/shm", "/tmp"];

type RamdiskState = [TreeState, AccessState, MemoryState, CommandState];

/** Keeps files in tmpfs, compared by SHA-256: `ramdisk` of the inventory. `provision --if-rebooted` restores them after a reboot. */
export default async function* ramdisk({ inventory }: PlaybookContext): AsyncGenerator<Resource> {
  for (const [folder, files] of Object.entries(inventory.ramdisk)) {
    const path = posix.normalize(folder).replace(/(?<=.)\/$/, "");
    yield ramdiskResource(path, await readWanted(path, files)) as Resource;
  }
}

async function readWanted(folder: string, files: string[]): Promise<WantedTree> {
  const want: WantedTree = new Map();
  for (const file of files) {
    const name = basename(file);
    if (want.has(name))
      throw new MusterError("SOURCE", `ramdisk: ${folder}: two files are called ${name}`, { next: "Rename one." });
    want.set(name, { ...(await readLocalFile(file, `ramdisk: ${folder}`)), mode: PRIVATE_MODES.file });
  }
  return want;
}

function ramdiskResource(folder: string, want: WantedTree): Resource<RamdiskState> {
  const access: Probe = { ask: "access", path: folder, exclusive: !SHARED_FOLDERS.includes(folder) };
  return {
    name: `ramdisk ${folder}`,
    probe: {
      ask: "all",
      of: [
        probeTree(folder, want),
        access,
        { ask: "space", path: folder },
        { ask: "command", argv: ["/bin/sh", "-c", LOGIND_SCRIPT], timeout: 10 },
      ],
    },
    diff: ([tree, state]) => [
      ...diffTree(tree, want, (local) => readFileSync(local)),
      ...diffAccess(folder, state),
      ...diffOwners(tree, state, want),
    ],
    change: async ([tree, state, space], context) => {
      const own = await takeOwnership(folder, want, { tree, access: state, probe: access }, context);
      await fillRamdisk(folder, want, own, space, context);
    },
    notes: ([, , , logind]) => (folder === "/dev/shm" || folder.startsWith("/dev/shm/") ? noteRemoval(logind) : []),
  };
}

/** Writes nothing unless everything fits: a node that runs out of memory may kill any process. */
async function fillRamdisk(
  folder: string,
  want: WantedTree,
  tree: TreeState,
  space: MemoryState,
  context: ChangeContext,
): Promise<void> {
  const wrong = findWrongPaths(tree, want);
  const needed = wrong.reduce((sum, [, entry]) => sum + (entry.kind === "file" ? entry.size : 0), 0);
  const problem = findSpaceProblem(needed, space);
  if (problem !== undefined)
    throw new MusterError("NO_SPACE", `${folder}: ${problem}`, { next: "Free memory there, or put less into it." });
  await repairTree(context, folder, tree, want, { folders: PRIVATE_MODES.folder });
}

/** Pure: explains why `needed` bytes do not fit; undefined if they do. */
export function findSpaceProblem(needed: number, { free, available }: MemoryState): string | undefined {
  if (needed > free) return `${formatBytes(needed)} are needed, but the file system has only ${formatBytes(free)} left`;
  if (needed + SPARE_MEMORY_BYTES > available)
    return `${formatBytes(needed)} are needed beside ${formatBytes(SPARE_MEMORY_BYTES)} to spare, and ${formatBytes(available)} of memory are available`;
  return undefined;
}

/** Pure: notes that logind would delete the ramdisk at logout, with the remedy. Empty if logind does not, or did not answer. */
export function noteRemoval({ stdout }: CommandState): string[] {
  const uid = /^(\d+)$/m.exec(stdout)?.[1];
  const removes = /^b true$/m.test(stdout);
  const lingers = /^Linger=yes$/m.test(stdout);
  // logind ignores system users.
  if (uid === undefined || Number(uid) < 1000 || !removes || lingers) return [];
  return [
    "logind deletes these files when the user's last session ends (RemoveIPC=yes): run `sudo loginctl enable-linger` for that " +
      "user there, or set RemoveIPC=no in /etc/systemd/logind.conf",
  ];
}
