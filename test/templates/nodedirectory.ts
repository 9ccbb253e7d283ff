import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";
import type { AttemptSpec } from "../../executor/run/agent/protocol.js";
import { waitUntil } from "../lab/waituntil.js";

/** A folder that is on the node already, with a result of an earlier run in it. */
export class Directory {
  readonly path: string;

  constructor(t: Pick<Test, "teardown">, parent = realpathSync(tmpdir())) {
    this.path = mkdtempSync(join(parent, "directory-"));
    this.write("results/x.json", "old");
    t.teardown(() => rmSync(this.path, { recursive: true, force: true }));
  }

  write(name: string, content: string | Buffer): string {
    mkdirSync(join(this.path, name, ".."), { recursive: true });
    writeFileSync(join(this.path, name), content);
    return join(this.path, name);
  }

  read(name: string): string {
    return readFileSync(join(this.path, name), "utf8");
  }

  has(name: string): boolean {
    return existsSync(join(this.path, name));
  }

  /** A spec of a shell script that runs here. */
  spec(outputs: string[], others: Partial<AttemptSpec> = {}): Partial<AttemptSpec> {
    return { directory: this.path, outputs, plain: outputs, watch: [], ...others };
  }

  /** Names of what lies here. */
  list(folder = "results"): string[] {
    return readdirSync(join(this.path, folder)).sort();
  }
}

/** What waits until the test creates `gate`, and notes in `begun` that it has begun. */
export function gated(directory: Directory, script: string): string {
  return `echo > begun; while [ ! -e ${directory.path}/gate ]; do sleep 0.1; done; ${script}`;
}

export async function begun(directory: Directory): Promise<void> {
  await waitUntil("it has begun", () => directory.has("begun"));
}
