import type { Failure } from "../executor/schedule/events.js";
import type { FailureGroup } from "../executor/schedule/halting/failuregroups.js";
import { formatReason, withoutShownDetail } from "./failurereason.js";
import { formatCount, pluralize } from "./format.js";

const MAX_STDERR_LINES = 20;
/** Of chunks that failed of one cause, beside the first. */
const MAX_NAMED_CHUNKS = 5;

/** Returns the lines about a failed chunk: where, why, and the end of its stderr. */
export function formatFailure(failure: Failure): string[] {
  return [`failed: ${describeShownFailure(failure)}`, ...formatStderr(failure)];
}

/** Returns one line about a failed chunk: where and why. */
export function formatFailureHead(failure: Failure): string {
  return `failed: ${describeFailure(failure)}`;
}

/** Returns where and why a chunk failed: "chunk 7 on rig slot 1, attempt 2: exit code 1: KeyError: 'x'". */
export function describeFailure(failure: Failure): string {
  const { chunk, node, slot, attempt } = failure;
  const place = slot < 0 ? "" : ` on ${node} slot ${slot}`;
  return `chunk ${chunk}${place}, attempt ${attempt}: ${formatReason(failure)}`;
}

/** Returns an entry of lines for each group: its cause, the first failure in full, and the other chunks. `verbose`: up to a hundred are named. */
export function formatFailureGroups(groups: readonly FailureGroup[], verbose = false): string[][] {
  return groups.map((group) => {
    if (group.chunks === 1) return formatFailure(group.first);
    return [
      `failed: ${pluralize(group.chunks, "chunk")}: ${group.cause}`,
      `  first: ${describeShownFailure(group.first)}`,
      ...formatStderr(group.first),
      `  others: ${nameOtherChunks(group, verbose ? Number.POSITIVE_INFINITY : MAX_NAMED_CHUNKS)}`,
    ];
  });
}

/** Returns the names of at most `limit` chunks of a group beside the first, and how many more there are. */
export function nameOtherChunks({ chunks, others }: FailureGroup, limit = MAX_NAMED_CHUNKS): string {
  const named = others.slice(0, limit);
  const rest = chunks - 1 - named.length;
  return `${named.join(", ")}${rest === 0 ? "" : ` and ${formatCount(rest)} more`}`;
}

/** Returns the last lines of the stderr of a failure. */
export function selectLastLines({ stderr }: Failure): string[] {
  const lines = stderr.trimEnd().split("\n").slice(-MAX_STDERR_LINES);
  return lines.filter((line) => line !== "");
}

/** Describes a failure whose last lines of stderr follow. */
function describeShownFailure(failure: Failure): string {
  return describeFailure(withoutShownDetail(failure, selectLastLines(failure)));
}

function formatStderr(failure: Failure): string[] {
  return selectLastLines(failure).map((line) => `    ${line}`);
}
