import { posix } from "node:path";
import { MusterError } from "../../schemas/errors.js";
import type { AccessState, ChangeContext, Difference, Probe, TreeState } from "../engine/resource.js";
import type { WantedTree } from "../engine/tree.js";

const PRIVATE_FOLDER_MODE = 0o700;

/** A folder as it was found, and the probe that says who else can change it. */
export interface FolderAsFound {
  tree: TreeState;
  access: AccessState;
  probe: Probe;
}

/** Pure: files among those wanted that belong to another user, who could change them at any time. Those of root are fine. */
export function diffOwners(tree: TreeState, access: AccessState, want: WantedTree): Difference[] {
  return findForeignFiles(tree, access, want).map((name) => ({
    what: `${name}: owner`,
    have: `${tree[name]?.owner} (uid ${tree[name]?.uid})`,
    want: "the user who logs in, or root",
  }));
}

/**
 * Makes the folder private and removes others' files among those wanted; answers with what is in it then. Rejects with REFUSED
 * where another user owns the folder and we are not root, or where others could replace it.
 */
export async function takeOwnership(
  folder: string,
  want: WantedTree,
  found: FolderAsFound,
  hands: ChangeContext,
): Promise<TreeState> {
  const { access, probe } = found;
  const look = () => hands.ask<TreeState>({ ask: "tree", path: folder });
  let { tree } = found;
  if (access.problems.length > 0) {
    if (canTakeOwnership(found))
      await hands.folder({ path: folder, mode: PRIVATE_FOLDER_MODE, owner: access.uid === 0 ? "root" : undefined });
    refuseUnsafe(folder, await hands.ask<AccessState>(probe));
    tree = await look();
  }
  const paths = findForeignFiles(tree, access, want).map((name) => posix.join(folder.replace(/^~\//, "./"), name));
  if (paths.length === 0) return tree;
  await hands.$`rm -f -- ${paths}`;
  return look();
}

function findForeignFiles(tree: TreeState, { uid }: AccessState, want: WantedTree): string[] {
  return [...want.keys()].filter((name) => {
    const state = Object.hasOwn(tree, name) ? tree[name] : undefined;
    return state?.kind === "file" && state.uid !== uid && state.uid !== 0;
  });
}

/** What is wrong with the folders above is not for a ramdisk to change. */
function canTakeOwnership({ tree, access }: FolderAsFound): boolean {
  return access.problems.every(({ final }) => final) && (access.uid === 0 || tree["."]?.uid === access.uid);
}

function refuseUnsafe(folder: string, { problems: [problem] }: AccessState): void {
  if (problem === undefined) return;
  const { path, fault, fix } = problem;
  throw new MusterError("REFUSED", 69, `${path} ${fault}: others could change the files in ${folder}`, {
    next: `On the node, ${fix}; then run this again.`,
  });
}
