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
  /** -> TreeState: everything below a folder, by relative path. */
  | { ask: "tree"; path: string; become?: boolean }
  /** -> CommandState. A program with its arguments as data, and a hard timeout in seconds. */
  | { ask: "command"; argv: string[]; timeout: number; become?: boolean }
  /** -> ModulesState: which modules this interpreter can import, with versions. */
  | { ask: "modules"; python: string; modules: string[] }
  /** -> MemoryState: bytes free in the file system of `path`, and MemAvailable. */
  | { ask: "space"; path: string }
  /** -> the answer to each, in this order: what can only be judged side by side (one value in two files). Not nested. */
  | { ask: "all"; of: Probe[] };

export interface FileState {
  kind: "missing" | "file" | "folder" | "link" | "other";
  mode?: number;
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

export type TreeState = Record<string, FileState>;

export interface CommandState {
  exit: number | null;
  stdout: string;
  stderr: string;
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
export interface Hands {
  $: Shell;
  files: Files;
  node: Node;
}

/** One thing that can be probed, compared and brought into state. Names are unique in a node's plan. */
export interface Resource<Have = unknown> {
  name: string;
  probe: Probe;
  /** Pure: what differs between `have` and what is wanted; empty = already right. */
  diff(have: Have): Difference[];
  /** Mends the differences; called right after another probe. Absent: can only be reported. */
  change?(have: Have, hands: Hands): Promise<void>;
  /** Names of resources that must be right first; when one of them fails, this one is "blocked", naming it. */
  after?: string[];
  /** Run once after this resource has changed. */
  then?(hands: Hands): Promise<void>;
  /** What is staged by `change` is true only after a reboot: reported as "needs reboot" until the probe says so. */
  reboot?: boolean;
}

/** What a playbook is given about the node that it speaks of. */
export interface Subject {
  node: Node;
  inventory: Inventory;
  facts: Facts;
}

/** A playbook module exports `default` one of these: what a node must be, for one concern. */
export type Playbook = (subject: Subject) => Iterable<Resource> | AsyncIterable<Resource>;
