import type { Failure } from "../events.js";
import { describeCause } from "./failurecause.js";
import { findFailureKind } from "./failurekind.js";

/** Chunks that failed of one cause. */
export interface FailureGroup {
  /** "SyntaxError in bad.py line 2", or the reason of the first failure. */
  cause: string;
  chunks: number;
  first: Failure;
  /** The ids of some of the other chunks. */
  others: string[];
}

/** Further groups are counted as one, whose `cause` says so. */
const MAX_GROUPS = 100;
/** How many other chunks of a group are named. */
const MAX_NAMED = 100;

/** Groups failed chunks by cause, in the order of their first failures. Its size does not grow with the number of failures. */
export class FailureGroups {
  private readonly groups = new Map<string, FailureGroup>();

  constructor(failures: Iterable<Failure> = []) {
    for (const failure of failures) this.add(failure);
  }

  add(failure: Failure): void {
    const cause = describeCause(failure);
    // Failures alike in different places have different causes, and only numbers differ in the reasons of one kind.
    const place = cause === failure.reason.split("\n")[0] ? "" : cause;
    const found = `${findFailureKind(failure)}${place}`;
    const key = this.groups.has(found) || this.groups.size < MAX_GROUPS ? found : "";
    const group = this.groups.get(key);
    if (group === undefined)
      this.groups.set(key, { cause: key === "" ? "various causes" : cause, chunks: 1, first: failure, others: [] });
    else {
      group.chunks++;
      if (group.others.length < MAX_NAMED) group.others.push(failure.chunk);
    }
  }

  get all(): FailureGroup[] {
    return [...this.groups.values()];
  }
}
