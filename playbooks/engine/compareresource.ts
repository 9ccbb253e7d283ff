import { createHash } from "node:crypto";
import type { MusterError } from "../../schemas/errors.js";
import { toPlaybookError } from "./planresources.js";
import type { Difference, Resource } from "./resource.js";
import type { ProbeResult } from "./runprobes.js";

/** The result of comparing one resource with its wanted state. */
export type Comparison = { differences: Difference[]; notes: string[]; have: unknown } | { error: MusterError };

/** Compares the result of a probe with the wanted state. Never throws: an error of a playbook becomes a value. */
export function compareResource(playbook: string, resource: Resource, answer: ProbeResult): Comparison {
  if ("error" in answer) return answer;
  try {
    const differences = resource.diff(answer.have).map(redactSecret);
    return { differences, notes: resource.notes?.(answer.have) ?? [], have: answer.have };
  } catch (error) {
    return { error: toPlaybookError(playbook, error) };
  }
}

/** Replaces the texts of a secret difference by their hashes. */
function redactSecret(difference: Difference): Difference {
  if (!difference.secret) return difference;
  const { what, have, want } = difference;
  return { what, have: hashText(have), want: hashText(want), secret: true };
}

function hashText(text: string): string {
  return `sha256 ${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
}
