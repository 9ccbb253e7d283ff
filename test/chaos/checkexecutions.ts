import { itemsIn } from "./chaosjob.js";
import { keyOf } from "./runcopy.js";
import type { Scenario } from "./scenario.js";

/** Returns the items that were executed more often than the faults explain, or were committed without an execution. */
export function executionProblems(scenario: Scenario): string[] {
  const counts = countExecutions(scenario);
  allowChunkFaults(scenario);
  allowRechecks(scenario);
  allowLostNodes(scenario);
  // A fault that pauses a coordinator or its node may last longer than such a lease.
  if (scenario.plan.leaseSeconds !== undefined) scenario.allowance.addAllBut(new Set());
  const limit = scenario.allowance.limits();
  const often = [...counts].filter(([key, count]) => count > limit(key));
  const never = [...new Set(scenario.copies.flatMap((place) => [...place.committed()]))].filter(
    (key) => !counts.has(key),
  );
  return [
    ...often.slice(0, 3).map(([key, count]) => `item ${key} was executed ${count} times; ${limit(key)} are explained`),
    ...(often.length > 3 ? [`and ${often.length - 3} more items were executed too often`] : []),
    ...never.slice(0, 3).map((key) => `item ${key} is committed and was never executed`),
  ];
}

/** Returns how often each item was begun, by its key. */
export function countExecutions({ workload, nodes }: Scenario): Map<string, number> {
  const counts = new Map<string, number>();
  for (const one of workload.executions(nodes))
    for (const item of itemsIn(one)) {
      const key = keyOf(one.placed, item);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  return counts;
}

/** A failed chunk is executed again, and so are the other chunks of an agent that a chunk has killed. */
function allowChunkFaults({ workload, nodes, allowance }: Scenario): void {
  for (const { placed, chunkFault, beside, ...one } of workload.executions(nodes)) {
    if (!chunkFault) continue;
    const { what } = placed.job.plan.chunkFault!;
    const lost = what === "fails" ? [] : beside;
    allowance.add([...itemsIn(one), ...lost].map((item) => keyOf(placed, item)));
    if (what !== "kills-python") continue;
    // Agents and warm workers of the job beside it, too.
    for (const other of workload.jobs.filter(({ job }) => job !== placed.job))
      allowance.add(
        other.job
          .executions([one.node])
          .flatMap(itemsIn)
          .map((item) => keyOf(other, item)),
      );
  }
}

/**
 * A recheck that is interrupted, because the coordinator ends or the node is lost, is executed once more: its chunk is already committed,
 * so the next coordinator cannot adopt the attempt.
 */
function allowRechecks({ workload, allowance, copies: places, plan }: Scenario): void {
  for (const place of places)
    for (const placed of workload.jobs) {
      const rechecked = place.recheckedOf(placed).flatMap(itemsIn);
      const times = place.sessionsOf(placed) + plan.faults.filter((fault) => "node" in fault).length;
      allowance.add(
        rechecked.map((item) => keyOf(placed, item)),
        times,
      );
    }
}

/** The chunks of a lost node are executed elsewhere. */
function allowLostNodes({ workload, copies: places, nodes, allowance }: Scenario): void {
  for (const place of places)
    for (const placed of workload.jobs)
      for (const name of place.lostNodes(placed))
        allowance.expose(nodes.find((node) => node.name === name)!, new Set(), Number.POSITIVE_INFINITY);
}
