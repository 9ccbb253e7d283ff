import { describeKind, diffRights } from "./fileresource.js";
import type { ChangeContext, Difference, FileState, Resource } from "./resource.js";

/** The wanted state of a folder on a node. Without `mode` or `owner` (`user` or `user:group`), any value is accepted. */
export interface WantedFolder {
  path: string;
  mode?: number;
  owner?: string;
  become?: boolean;
  name?: string;
  after?: string[];
  notify?: string | readonly string[];
  followUp?(context: ChangeContext): Promise<void>;
}

/** Returns a resource for a folder. Its content is ignored; anything else at its path is only reported. */
export function folderResource(want: WantedFolder): Resource<FileState> {
  const { path, mode, owner, become } = want;
  return {
    name: want.name ?? `folder ${path}`,
    probe: { ask: "file", path, cap: 0, become },
    diff: (have) => diffFolder(have, want),
    change: async (_, context) => context.folder({ path, mode, owner, become }),
    after: want.after,
    notify: want.notify,
    followUp: want.followUp,
  };
}

/** Pure: lists the differences between a folder and its wanted state. */
export function diffFolder(have: FileState, want: { mode?: number; owner?: string }): Difference[] {
  if (have.error !== undefined) return [{ what: "folder", have: `cannot be read: ${have.error}`, want: "a folder" }];
  if (have.kind !== "folder") return [{ what: "folder", have: describeKind(have), want: "a folder" }];
  return diffRights(have, want);
}
