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
export async function injectDirectoryFault(scene: Scenario, fault: DirectoryFault): Promise<boolean> {
  const { original, shop, allowance } = scene;
  if (!original.hasJournal) return false;
  switch (fault.kind) {
    case "copy": {
      await endCoordinator(scene, fault.end);
      const copy = new RunCopy(join(shop.folder, "copy"), "its copy", scene.workload);
      await execute("cp", ["-a", original.path, copy.path]);
      scene.copies.push(copy);
      // Each of the two may compute what was not safe then, and what the other one made it drop.
      allowance.addAllBut(copy.committed(), 2);
      scene.hasConflict = true;
      return true;
    }
    case "backup":
      await backUp(scene);
      return true;
    case "restore": {
      if (scene.backup === undefined || hasForgottenRuns(scene)) return false;
      await endCoordinator(scene, fault.end);
      rmSync(original.path, { recursive: true });
      await execute("cp", ["-a", scene.backup, original.path]);
      original.process = undefined;
      allowance.addAllBut(original.committed(), 2);
      scene.hasConflict = true;
      return true;
    }
    case "move": {
      await endCoordinator(scene, fault.end);
      const target = `${original.path}-moved`;
      renameSync(original.path, target);
      original.path = target;
      return true;
    }
    case "disk-full-here": {
      const disk = scene.disk!;
      disk.shrink();
      scene.during(fault.forMs, ["broken"], () => disk.enlarge());
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
async function backUp(scene: Scenario): Promise<void> {
  const { original, shop } = scene;
  const target = join(shop.folder, "backup");
  if (existsSync(target)) rmSync(target, { recursive: true });
  original.process?.signal("SIGSTOP");
  await execute("cp", ["-a", original.path, target]);
  original.process?.signal("SIGCONT");
  scene.backup = target;
}
