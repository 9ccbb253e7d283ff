import { posix } from "node:path";
import { MusterError } from "../../schemas/errors.js";
import type { AccessState, ChangeContext, Difference, Probe, TreeState } from "../engine/resource.js";
import type { WantedTree } from "../engine/tree.js";

const PRIVATE_FOLDER_MODE = 0o700;

/** The state of a folder, and the probe for other users' access to it. */
export interface FolderAsFound {
  tree: TreeState;
  access: AccessState;
  probe: Probe;
}

/** Pure: lists the wanted files that belong to another user, who could change them at any time. Files of root are accepted. */
export function diffOwners(tree: TreeState, access: AccessState, want: WantedTree): Difference[] {
  return findForeignFiles(tree, access, want).map((name) => ({
    what: `${name}: owner`,
    have: `${tree[name]?.owner} (uid ${tree[name]?.uid})`,
    want: "the user who logs in, or root",
  }));
}

/**
 * Makes the folder private, deletes wanted files that belong to other users, and returns the folder's new state. Rejects with a
 * MusterError (REFUSED) if another user owns the folder and we are not root, or if other users could replace it.
 */
export async function takeOwnership(
  folder: string,
  want: WantedTree,
  found: FolderAsFound,
  context: ChangeContext,
): Promise<TreeState> {
  const { access, probe } = found;
  const look = () => context.ask<TreeState>({ ask: "tree", path: folder });
  let { tree } = found;
  if (access.problems.length > 0) {
    if (canTakeOwnership(found))
      await context.folder({ path: folder, mode: PRIVATE_FOLDER_MODE, owner: access.uid === 0 ? "root" : undefined });
    refuseUnsafe(folder, await context.ask<AccessState>(probe));
    tree = await look();
  }
  const paths = findForeignFiles(tree, access, want).map((name) => posix.join(folder.replace(/^~\//, "./"), name));
  if (paths.length === 0) return tree;
  await context.$`rm -f -- ${paths}`;
  return look();
}

function findForeignFiles(tree: TreeState, { uid }: AccessState, want: WantedTree): string[] {
  return [...want.keys()].filter((name) => {
    const state = Object.hasOwn(tree, name) ? tree[name] : undefined;
    return state?.kind === "file" && state.uid !== uid && state.uid !== 0;
  });
}

/** Whether the ramdisk may fix the problems: not those of parent folders, and not without the rights to do so. */
function canTakeOwnership({ tree, access }: FolderAsFound): boolean {
  return access.problems.every(({ final }) => final) && (access.uid === 0 || tree["."]?.uid === access.uid);
}

function refuseUnsafe(folder: string, { problems: [problem] }: AccessState): void {
  if (problem === undefined) return;
  const { path, fault, fix } = problem;
  throw new MusterError("REFUSED", `${path} ${fault}: others could change the files in ${folder}`, {
    next: `On the node, ${fix}; then run this again.`,
  });
}
