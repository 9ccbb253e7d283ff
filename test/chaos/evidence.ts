import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PlanResult } from "./chaosrun.js";
import { describePlan } from "./describeplan.js";
import type { Scenario } from "./scenario.js";

/** Keeps everything that can explain a failed run in `folder`: its plan, problems, output and files. */
export function keepEvidence(folder: string, scenario: Scenario, { problems }: PlanResult): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "plan.txt"), `${describePlan(scenario.plan)}\n`);
  writeFileSync(join(folder, "problems.txt"), `${problems.join("\n")}\n`);
  for (const [index, { label, exit, ran }] of scenario.records.entries())
    writeFileSync(
      join(folder, `muster-${`${index + 1}`.padStart(2, "0")}.txt`),
      `${label}: ended with ${exit}\n--- stderr\n${ran.err}\n--- stdout\n${ran.out}\n`,
    );
  const executions = scenario.workload
    .executions(scenario.nodes)
    .map(({ placed, node, first, end, attempt, ended, chunkFault }) => {
      const how = chunkFault ? "injected its fault" : ended ? "ended" : "did not end";
      return `${placed.job.name} items ${first} to ${end} attempt ${attempt} on ${node.name}: ${how}`;
    });
  writeFileSync(join(folder, "executions.txt"), `${executions.join("\n")}\n`);
  cpSync(scenario.shop.folder, join(folder, "files"), { recursive: true });
}
