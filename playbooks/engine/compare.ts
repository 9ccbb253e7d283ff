import { createHash } from "node:crypto";
import type { MusterError } from "../../schemas/errors.js";
import { playbookError } from "./plan.js";
import type { Answer } from "./probe.js";
import type { Difference, Resource } from "./resource.js";

/** What came of a look at one resource. */
export type Finding = { differences: Difference[]; notes: string[]; have: unknown } | { error: MusterError };

/** Compares what a node answered with what is wanted. Never throws: what nodes and playbooks do is a value. */
export function compare(playbook: string, resource: Resource, answer: Answer): Finding {
  if ("error" in answer) return answer;
  try {
    const differences = resource.diff(answer.have).map(redacted);
    return { differences, notes: resource.notes?.(answer.have) ?? [], have: answer.have };
  } catch (error) {
    return { error: playbookError(playbook, error) };
  }
}

/** Nothing secret goes any further than here. */
function redacted(difference: Difference): Difference {
  if (!difference.secret) return difference;
  const { what, have, want } = difference;
  return { what, have: hashed(have), want: hashed(want), secret: true };
}

function hashed(text: string): string {
  return `sha256 ${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
}
