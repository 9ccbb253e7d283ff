import { execFileSync } from "node:child_process";
import { mkdirSync, statfsSync } from "node:fs";

const LARGE_SIZE_OPTION = "size=128m";
/** Bytes that are left on a disk that is as good as full; more where others write meanwhile. */
const FREE_BYTES_WHEN_FULL = [8 << 10, 64 << 10, 512 << 10, 4 << 20];

/** A file system of its own for a run directory, which can be filled up. */
export class RunDisk {
  private constructor(private readonly path: string) {}

  static mount(path: string): RunDisk {
    mkdirSync(path, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", LARGE_SIZE_OPTION, "tmpfs", path]);
    return new RunDisk(path);
  }

  /** Leaves no room but for a few bytes. */
  shrink(): void {
    for (const left of FREE_BYTES_WHEN_FULL) {
      const { blocks, bfree, bsize } = statfsSync(this.path);
      try {
        return this.remount(`size=${(blocks - bfree) * bsize + left}`);
      } catch (error) {
        if (left === FREE_BYTES_WHEN_FULL.at(-1)) throw error;
      }
    }
  }

  enlarge(): void {
    this.remount(LARGE_SIZE_OPTION);
  }

  unmount(): void {
    execFileSync("umount", ["-l", this.path]);
  }

  private remount(options: string): void {
    execFileSync("mount", ["-o", `remount,${options}`, this.path], { stdio: "pipe" });
  }
}
