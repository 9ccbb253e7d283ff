import { execFileSync } from "node:child_process";
import { mkdirSync, statfsSync } from "node:fs";

const ROOMY = "size=128m";
/** Bytes that are left on a disk that is as good as full. */
const LEFT = 8 << 10;

/** A file system of its own for a run directory, which can be filled up. */
export class RunDisk {
  private constructor(private readonly path: string) {}

  static mount(path: string): RunDisk {
    mkdirSync(path, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", ROOMY, "tmpfs", path]);
    return new RunDisk(path);
  }

  /** Leaves no room but for a few bytes. */
  shrink(): void {
    const { blocks, bfree, bsize } = statfsSync(this.path);
    this.remount(`size=${(blocks - bfree) * bsize + LEFT}`);
  }

  enlarge(): void {
    this.remount(ROOMY);
  }

  unmount(): void {
    execFileSync("umount", ["-l", this.path]);
  }

  private remount(options: string): void {
    execFileSync("mount", ["-o", `remount,${options}`, this.path]);
  }
}
