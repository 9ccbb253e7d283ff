/** A program's file as a node has it. */
export interface ProgramVersion {
  node: string;
  /** Relative to the job's directory. */
  path: string;
  sha256: string;
}

/** The versions of one program: as the run first saw it anywhere, and as each node had it last. */
interface KnownVersions {
  first: ProgramVersion;
  byNode: Map<string, string>;
  warnedNodes: Set<string>;
}

/** The programs that run in a folder of the nodes, which muster does not put there: they may differ between nodes, and change. */
export class ProgramVersions {
  private readonly byPath = new Map<string, KnownVersions>();

  /** Records a version that an earlier session has seen. */
  record(version: ProgramVersion): void {
    this.versionsOf(version).byNode.set(version.node, version.sha256);
  }

  /**
   * Compares a version with those that were seen before, and records it. `isNew`: the node had another one before, or none.
   * `warning`: what differs, once per node and program.
   */
  compare(node: string, path: string, sha256: string): { isNew: boolean; warning: string | undefined } {
    const known = this.versionsOf({ node, path, sha256 });
    const before = known.byNode.get(node);
    const difference = describeDifference(known, { node, path, sha256 });
    known.byNode.set(node, sha256);
    const warning = known.warnedNodes.has(node) ? undefined : difference;
    if (warning !== undefined) known.warnedNodes.add(node);
    return { isNew: before !== sha256, warning };
  }

  private versionsOf(version: ProgramVersion): KnownVersions {
    let known = this.byPath.get(version.path);
    if (known === undefined) {
      known = { first: version, byNode: new Map(), warnedNodes: new Set() };
      this.byPath.set(version.path, known);
    }
    return known;
  }
}

/** Returns how the version of a node differs from what was seen before; undefined = it does not. */
function describeDifference(
  { first, byNode }: KnownVersions,
  { node, path, sha256 }: ProgramVersion,
): string | undefined {
  const before = byNode.get(node);
  const hasChanged = before === undefined ? byNode.get(first.node) === sha256 : before !== sha256;
  if (sha256 === first.sha256 && !(before !== undefined && hasChanged)) return undefined;
  if (hasChanged) return `${path} has changed since the run began`;
  return `${path} differs from that on ${first.node}: bring all nodes to one version, and start a new run with --fresh`;
}
