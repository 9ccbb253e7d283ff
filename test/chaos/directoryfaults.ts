import { execFile } from "node:child_process";
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { DirectoryFault } from "./faultkinds.js";
import { endCoordinator } from "./processfaults.js";
import { RunCopy } from "./runcopy.js";
import type { Scenario } from "./scenario.js";

const execute = promisify(execFile);

/** Injects a fault of the run directory; false where there was no occasion for it. */
export async function injectDirectoryFault(scenario: Scenario, fault: DirectoryFault): Promise<boolean> {
  const { original, shop, allowance } = scenario;
  if (!original.hasJournal) return false;
  switch (fault.kind) {
    case "copy": {
      await endCoordinator(scenario, fault.end);
      const copy = new RunCopy(join(shop.folder, "copy"), "its copy", scenario.workload);
      await execute("cp", ["-a", original.path, copy.path]);
      scenario.copies.push(copy);
      // Each of the two may compute what was not safe then, and what the other one made it drop.
      allowance.addAllBut(copy.committed(), 2);
      scenario.hasConflict = true;
      return true;
    }
    case "backup":
      await backUp(scenario);
      return true;
    case "restore": {
      if (scenario.backup === undefined || hasForgottenRuns(scenario)) return false;
      await endCoordinator(scenario, fault.end);
      rmSync(original.path, { recursive: true });
      await execute("cp", ["-a", scenario.backup, original.path]);
      original.process = undefined;
      allowance.addAllBut(original.committed(), 2);
      scenario.hasConflict = true;
      return true;
    }
    case "move": {
      await endCoordinator(scenario, fault.end);
      const target = `${original.path}-moved`;
      renameSync(original.path, target);
      original.path = target;
      return true;
    }
    case "disk-full-here": {
      const disk = scenario.disk!;
      disk.shrink();
      scenario.during(fault.forMs, ["broken"], () => disk.enlarge());
      return true;
    }
  }
}

/** Whether a step began after the backup: its run is unknown there, so nothing but their lease ends its agents. */
function hasForgottenRuns({ backup, original, workload }: Scenario): boolean {
  return workload.jobs.some(
    ({ step }) =>
      existsSync(join(original.path, step, "journal.ndjson")) && !existsSync(join(backup!, step, "journal.ndjson")),
  );
}

/** As a snapshot of the file system has it: the coordinator stands still meanwhile. */
async function backUp(scenario: Scenario): Promise<void> {
  const { original, shop } = scenario;
  const target = join(shop.folder, "backup");
  if (existsSync(target)) rmSync(target, { recursive: true });
  original.process?.signal("SIGSTOP");
  await execute("cp", ["-a", original.path, target]);
  original.process?.signal("SIGCONT");
  scenario.backup = target;
}
