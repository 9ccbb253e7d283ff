import type { Files } from "../../fleet/connection.js";
import type { Facts } from "../../fleet/facts.js";
import type { Inventory } from "../../fleet/inventory.js";
import type { Node } from "../../fleet/node.js";
import type { NodeShell } from "./nodeshell.js";

/**
 * A query that templates/probe.py answers on the node; all probes of a node take one round trip. The answers are untrusted: `diff` must
 * accept any value.
 */
export type Probe =
  /**
   * -> FileState, with the content (base64) of a file of up to `cap` bytes, unless its SHA-256 is `known`. `~` and `~/` mean the user's home
   * folder.
   */
  | { ask: "file"; path: string; cap: number; known?: string; become?: boolean }
  /** -> TreeState: everything below a folder, by relative path, with contents as above. `known`: hashes by relative path. */
  | { ask: "tree"; path: string; cap?: number; known?: Readonly<Record<string, string>>; become?: boolean }
  /** -> CommandState: runs a program, without a shell, with a timeout in seconds. */
  | { ask: "command"; argv: string[]; timeout: number; become?: boolean }
  /** -> ModulesState: which modules this interpreter can import, and their versions. */
  | { ask: "modules"; python: string; modules: string[] }
  /** -> MemoryState: bytes free in the file system of `path`, and MemAvailable. */
  | { ask: "space"; path: string }
  /** -> AccessState: which other users could replace or change what is at a path. `exclusive`: a folder must not be shared at all. */
  | { ask: "access"; path: string; exclusive?: boolean }
  /** -> the answers in this order, for states that must be compared with each other (one value in two files). Cannot be nested. */
  | { ask: "all"; of: Probe[] };

export interface FileState {
  kind: "missing" | "file" | "folder" | "link" | "other";
  mode?: number;
  uid?: number;
  owner?: string;
  group?: string;
  size?: number;
  sha256?: string;
  /** base64; absent if the file is larger than `cap`, or its content is known. */
  content?: string;
  /** The target of a symbolic link. */
  target?: string;
  /** Why its state cannot be read ("Permission denied"). */
  error?: string;
}

/** By relative path; "." is the folder itself, whose `kind` tells whether it is a folder. */
export type TreeState = Record<string, FileState>;

export interface CommandState {
  exit: number | null;
  stdout: string;
  stderr: string;
  error?: string;
}

/** `found`: the module can be imported (checked without importing it). `python`: the interpreter's version; null: see `error`. */
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
  /** The user who logs in. */
  uid: number;
  /**
   * `path`: the unsafe folder, link or file; `fault`: "belongs to rig (uid 1001)"; `fix`: the remedy; `final`: it is the path itself, not
   * a parent of it.
   */
  problems: { path: string; fault: string; fix: string; final: boolean }[];
  /** Why it cannot be examined ("Permission denied"). */
  error?: string;
}

/** One difference between a node and its wanted state. `have` and `want` are texts for users. `secret`: show their hashes only. */
export interface Difference {
  what: string;
  have: string;
  want: string;
  /** A unified diff, if available. */
  diff?: string;
  secret?: boolean;
}

/** The means of a change. `$` is zx's, but its commands run on the node. */
export interface ChangeContext {
  $: NodeShell;
  /** The file channel of the connection. */
  files(): Promise<Files>;
  node: Node;
  /** Runs a probe on the node during a change. Rejects with a MusterError if there is no answer. */
  ask<Have>(probe: Probe): Promise<Have>;
  /** Writes a file atomically: temporary file, fsync, rename. Rejects if a folder is there; replaces a symbolic link. */
  place(file: FilePlacement): Promise<void>;
  /** Creates a folder and its missing parents, or sets its mode and owner. */
  folder(folder: FolderPlacement): Promise<void>;
}

/** Without `mode` or `owner`, the existing ones are kept; a new file gets mode 0644, a new folder 0755. */
export interface FolderPlacement {
  path: string;
  mode?: number;
  /** `user` or `user:group`. */
  owner?: string;
  become?: boolean;
}

export interface FilePlacement extends FolderPlacement {
  content: Uint8Array | { local: string };
  /** The mode of parent folders that are created. Default 0755. */
  folders?: number;
}

/** One item of a playbook that can be probed, compared and changed. Names are unique in a node's plan. */
export interface Resource<Have = unknown> {
  name: string;
  probe: Probe;
  /** Pure: lists the differences between `have` and the wanted state; empty: in sync. */
  diff(have: Have): Difference[];
  /** Removes the differences. Called right after a second probe. Absent: drift can only be reported. */
  change?(have: Have, context: ChangeContext): Promise<void>;
  /** Names of resources that must be in sync first. If one of them fails, this resource is "blocked". */
  after?: string[];
  /** Runs once after this resource has changed. (Not named `then`, because an object with a `then` is taken for a promise.) */
  followUp?(context: ChangeContext): Promise<void>;
  /** Handlers of the playbook that run once, at its end, after this resource has changed. */
  notify?: string | readonly string[];
  /** Advice about a state that is in sync but may not last. */
  notes?(have: Have): string[];
  /** The change takes effect after a reboot only; until then the state is "needs reboot". */
  reboot?: boolean;
  /**
   * Whether it is only changed while nothing computes on the node, e.g. because it replaces a library that running chunks have loaded. Pure, as
   * `diff` is.
   */
  idle?(have: Have): boolean;
}

/** The input of a playbook: the node, and how to gather its facts. */
export interface PlaybookContext {
  node: Node;
  inventory: Inventory;
  /** Gathers the node's facts. The first call takes a round trip. Rejects with a MusterError, see `gatherFacts`. */
  facts(): Promise<Facts>;
}

/** The state of a resource. `drift`: it differs from the wanted state, and was not (or cannot be) changed. */
export type ResourceState = "ok" | "changed" | "drift" | "needs reboot" | "failed" | "blocked";

export interface Verdict {
  playbook: string;
  resource: string;
  state: ResourceState;
  /** The differences before any change. Secrets are replaced by hashes. */
  differences: Difference[];
  /** Why the resource failed or is blocked, and what to do. */
  reason?: string;
  next?: string;
  notes: string[];
}

/** The default export of a playbook module: yields the resources of a node for one concern. */
export type Playbook = (context: PlaybookContext) => Iterable<Resource> | AsyncIterable<Resource>;

/** What runs on a node after resources that notify it have changed, e.g. to restart a service. It may run again after it has failed. */
export type Handler = (context: ChangeContext) => unknown;

/** The export `handlers` of a playbook module: its handlers by name. */
export type Handlers = Readonly<Record<string, Handler>>;
