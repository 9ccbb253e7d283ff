import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import type { Test } from "tap";

/** Small disks for tests: tmpfs mounts, which are gone when `t`, the root test of a file, ends. */
export class TmpfsDisks {
  private readonly mounted: string[] = [];

  constructor(t: Pick<Test, "teardown">) {
    t.teardown(() => {
      for (const folder of this.mounted) execFileSync("umount", [folder]);
    });
  }

  /** Mounts a disk of its own at `folder`, which is made. `options`: of mount, such as `size=512k`. */
  mount(folder: string, options: string): void {
    mkdirSync(folder, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder]);
    this.mounted.push(folder);
  }

  /** Changes the options of a disk. */
  remount(folder: string, options: string): void {
    execFileSync("mount", ["-o", `remount,${options}`, folder]);
  }
}
