import { itemsIn } from "./chaosjob.js";
import { keyOf } from "./runcopy.js";
import type { Scenario } from "./scenario.js";

/** Items that were executed more often than the faults force, or committed and never executed. */
export function executionProblems(scene: Scenario): string[] {
  const counts = countExecutions(scene);
  allowMisdeeds(scene);
  allowRechecks(scene);
  allowLostNodes(scene);
  // What keeps a coordinator or its node still for a while may last longer than such a lease.
  if (scene.plan.leaseSeconds !== undefined) scene.allowance.addAllBut(new Set());
  const limit = scene.allowance.limits();
  const often = [...counts].filter(([key, count]) => count > limit(key));
  const never = [...new Set(scene.copies.flatMap((place) => [...place.committed()]))].filter((key) => !counts.has(key));
  return [
    ...often.slice(0, 3).map(([key, count]) => `item ${key} was executed ${count} times; ${limit(key)} are explained`),
    ...(often.length > 3 ? [`and ${often.length - 3} more items were executed too often`] : []),
    ...never.slice(0, 3).map((key) => `item ${key} is committed and was never executed`),
  ];
}

/** How often each item was begun, by its key. */
export function countExecutions({ workload, nodes }: Scenario): Map<string, number> {
  const counts = new Map<string, number>();
  for (const one of workload.executions(nodes))
    for (const item of itemsIn(one)) {
      const key = keyOf(one.placed, item);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  return counts;
}

/** A chunk that failed is executed again, and so is what its agent had when a chunk killed that. */
function allowMisdeeds({ workload, nodes, allowance }: Scenario): void {
  for (const { placed, misdeed, beside, ...one } of workload.executions(nodes)) {
    if (!misdeed) continue;
    const lost = placed.job.plan.misdeed!.what === "fails" ? [] : beside;
    allowance.add([...itemsIn(one), ...lost].map((item) => keyOf(placed, item)));
  }
}

/**
 * A chunk that is computed again is executed once more by every coordinator that ends in the middle of that: its first result is
 * committed, so the second one belongs to no chunk that the next coordinator misses. The same holds of a node that is lost then.
 */
function allowRechecks({ workload, allowance, copies: places, plan }: Scenario): void {
  for (const place of places)
    for (const placed of workload.jobs) {
      const again = place.recheckedOf(placed).flatMap(itemsIn);
      const times = place.sessionsOf(placed) + plan.faults.filter((fault) => "node" in fault).length;
      allowance.add(
        again.map((item) => keyOf(placed, item)),
        times,
      );
    }
}

/** What a node had when it was given up is executed elsewhere. */
function allowLostNodes({ workload, copies: places, nodes, allowance }: Scenario): void {
  for (const place of places)
    for (const placed of workload.jobs)
      for (const name of place.lostNodes(placed))
        allowance.expose(nodes.find((node) => node.name === name)!, new Set(), Number.POSITIVE_INFINITY);
}
