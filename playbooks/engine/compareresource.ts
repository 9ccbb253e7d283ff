import { createHash } from "node:crypto";
import type { MusterError } from "../../schemas/errors.js";
import { toPlaybookError } from "./planresources.js";
import type { Difference, Resource } from "./resource.js";
import type { ProbeResult } from "./runprobes.js";

/** What came of a look at one resource. */
export type Comparison = { differences: Difference[]; notes: string[]; have: unknown } | { error: MusterError };

/** Compares what a node answered with what is wanted. Never throws: what nodes and playbooks do is a value. */
export function compareResource(playbook: string, resource: Resource, answer: ProbeResult): Comparison {
  if ("error" in answer) return answer;
  try {
    const differences = resource.diff(answer.have).map(redactSecret);
    return { differences, notes: resource.notes?.(answer.have) ?? [], have: answer.have };
  } catch (error) {
    return { error: toPlaybookError(playbook, error) };
  }
}

/** Nothing secret goes any further than here. */
function redactSecret(difference: Difference): Difference {
  if (!difference.secret) return difference;
  const { what, have, want } = difference;
  return { what, have: hashText(have), want: hashText(want), secret: true };
}

function hashText(text: string): string {
  return `sha256 ${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
}
