import { describeKind, diffRights } from "./fileresource.js";
import type { ChangeContext, Difference, FileState, Resource } from "./resource.js";

/** What a folder of a node must be. Mode and owner (`user` or `user:group`) that are not given may be any. */
export interface WantedFolder {
  path: string;
  mode?: number;
  owner?: string;
  become?: boolean;
  name?: string;
  after?: string[];
  followUp?(hands: ChangeContext): Promise<void>;
}

/** A folder of a node. What is in it is not looked at; anything else in its place is only reported. */
export function folderResource(want: WantedFolder): Resource<FileState> {
  const { path, mode, owner, become } = want;
  return {
    name: want.name ?? `folder ${path}`,
    probe: { ask: "file", path, cap: 0, become },
    diff: (have) => diffFolder(have, want),
    change: async (_, hands) => hands.folder({ path, mode, owner, become }),
    after: want.after,
    followUp: want.followUp,
  };
}

/** Pure: how a folder differs from what is wanted. */
export function diffFolder(have: FileState, want: { mode?: number; owner?: string }): Difference[] {
  if (have.error !== undefined) return [{ what: "folder", have: `cannot be read: ${have.error}`, want: "a folder" }];
  if (have.kind !== "folder") return [{ what: "folder", have: describeKind(have), want: "a folder" }];
  return diffRights(have, want);
}
