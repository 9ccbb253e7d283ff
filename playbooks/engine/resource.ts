import type { Shell } from "zx";
import type { Files } from "../../fleet/connection.js";
import type { Facts } from "../../fleet/facts.js";
import type { Inventory } from "../../fleet/inventory.js";
import type { Node } from "../../fleet/node.js";

/**
 * A question that templates/probe.py answers on the node; all questions about a node go there in one round trip.
 * What a node answers is hostile: `diff` must bear anything.
 */
export type Probe =
  /** -> FileState. `cap`: content up to this many bytes comes along (base64). `~` and `~/` stand for the user's home. */
  | { ask: "file"; path: string; cap: number; become?: boolean }
  /** -> TreeState: everything below a folder, by relative path; with `cap` the content of smaller files comes along. */
  | { ask: "tree"; path: string; cap?: number; become?: boolean }
  /** -> CommandState. A program with its arguments as data, and a hard timeout in seconds. */
  | { ask: "command"; argv: string[]; timeout: number; become?: boolean }
  /** -> ModulesState: which modules this interpreter can import, with versions. */
  | { ask: "modules"; python: string; modules: string[] }
  /** -> MemoryState: bytes free in the file system of `path`, and MemAvailable. */
  | { ask: "space"; path: string }
  /** -> AccessState: who else could replace or change what lies at a path. `exclusive`: a folder there may not be shared at all. */
  | { ask: "access"; path: string; exclusive?: boolean }
  /** -> the answer to each, in this order: what can only be judged side by side (one value in two files). Not nested. */
  | { ask: "all"; of: Probe[] };

export interface FileState {
  kind: "missing" | "file" | "folder" | "link" | "other";
  mode?: number;
  uid?: number;
  owner?: string;
  group?: string;
  size?: number;
  sha256?: string;
  /** base64; absent where larger than the cap. */
  content?: string;
  /** Where a link points. */
  target?: string;
  /** Why it cannot be looked at ("Permission denied"). */
  error?: string;
}

/** By relative path; "." is the folder itself, whose `kind` says whether it is one. */
export type TreeState = Record<string, FileState>;

export interface CommandState {
  exit: number | null;
  stdout: string;
  stderr: string;
  error?: string;
}

/** `found`: it can be imported (nothing is imported to find out). `python`: the interpreter's version; null with `error`. */
export interface ModulesState {
  python: string | null;
  modules: Record<string, { found: boolean; version: string | null }>;
  error?: string;
}

/** Bytes. */
export interface MemoryState {
  free: number;
  available: number;
  error?: string;
}

/** How other users could interfere with a path: templates/muster_agent/access/path_access.py. */
export interface AccessState {
  /** Who asks. */
  uid: number;
  /**
   * `path`: the folder, link or file at fault; `fault`: "belongs to rig (uid 1001)"; `fix`: what would mend it; `final`: it is
   * the path itself and not what leads there.
   */
  problems: { path: string; fault: string; fix: string; final: boolean }[];
  /** Why it cannot be examined ("Permission denied"). */
  error?: string;
}

/** One way in which a node is not as it must be. `have` and `want` are texts for people; `secret`: show hashes only. */
export interface Difference {
  what: string;
  have: string;
  want: string;
  /** A unified diff, where there is one. */
  diff?: string;
  secret?: boolean;
}

/** What a resource's change may use. `$` is zx's own, running on the node (or here, for a local one). */
export interface ChangeContext {
  $: Shell;
  /** The file channel of the connection. */
  files(): Promise<Files>;
  node: Node;
  /** Asks the node again, in the middle of a change. */
  ask<Have>(probe: Probe): Promise<Have>;
  /** Puts a file in its place, byte for byte: tmp + fsync + rename. A folder there is refused, a link replaced and never followed. */
  place(file: FilePlacement): Promise<void>;
  /** Makes a folder (and what is missing above it), or gives it this mode and owner. */
  folder(folder: FolderPlacement): Promise<void>;
}

/** Mode and owner that are not given stay as they are; a new file gets 0644, a new folder 0755. */
export interface FolderPlacement {
  path: string;
  mode?: number;
  /** `user` or `user:group`. */
  owner?: string;
  become?: boolean;
}

export interface FilePlacement extends FolderPlacement {
  content: Uint8Array | { local: string };
  /** Mode of folders that have to be made above it. Default 0755. */
  folders?: number;
}

/** One thing that can be probed, compared and brought into state. Names are unique in a node's plan. */
export interface Resource<Have = unknown> {
  name: string;
  probe: Probe;
  /** Pure: what differs between `have` and what is wanted; empty = already right. */
  diff(have: Have): Difference[];
  /** Mends the differences; called right after another probe. Absent: can only be reported. */
  change?(have: Have, hands: ChangeContext): Promise<void>;
  /** Names of resources that must be right first; when one of them fails, this one is "blocked", naming it. */
  after?: string[];
  /** Run once after this resource has changed. (Not called `then`: what has a `then` is taken for a promise.) */
  followUp?(hands: ChangeContext): Promise<void>;
  /** Advice about what is right now but may not stay so; no drift. */
  notes?(have: Have): string[];
  /** What is staged by `change` is true only after a reboot: reported as "needs reboot" until the probe says so. */
  reboot?: boolean;
}

/** What a playbook is given about the node that it speaks of. */
export interface PlaybookContext {
  node: Node;
  inventory: Inventory;
  /** What the node says of itself. It is asked when a playbook first wants to know, which costs a round trip. */
  facts(): Promise<Facts>;
}

/** What is true of one resource. `drift`: it differs and nothing was (or can be) done about it. */
export type ResourceState = "ok" | "changed" | "drift" | "needs reboot" | "failed" | "blocked";

export interface Verdict {
  playbook: string;
  resource: string;
  state: ResourceState;
  /** What was found before anything was changed. Nothing secret is in it. */
  differences: Difference[];
  /** Why it failed or is blocked, and what to do. */
  reason?: string;
  next?: string;
  notes: string[];
}

/** A playbook module exports `default` one of these: what a node must be, for one concern. */
export type Playbook = (subject: PlaybookContext) => Iterable<Resource> | AsyncIterable<Resource>;
