import { existsSync, rmSync } from "node:fs";
import type { Test } from "tap";

/** Where muster has never provisioned this machine, nothing says after the test that it has. */
export function removeMarkerAfter(t: Pick<Test, "teardown">): void {
  const marker = `/dev/shm/muster-${process.geteuid?.()}`;
  if (!existsSync(marker)) t.teardown(() => rmSync(marker, { recursive: true, force: true }));
}
