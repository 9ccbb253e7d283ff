import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { projectRoot } from "../lab/project.js";

export interface MusterResult {
  code: number | null;
  out: string;
  err: string;
}

/** Starts muster as a user would, by default in a folder without an inventory. */
export function startMuster(
  words: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): ChildProcess {
  const env = { ...process.env, MUSTER_INVENTORY: "", ...options.env };
  return spawn(process.execPath, [join(projectRoot(), "dist/bundle/cli/main.js"), ...words], {
    cwd: options.cwd ?? tmpdir(),
    env,
  });
}

/** Runs muster and resolves with its exit status and output. */
export function runMuster(
  words: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<MusterResult> {
  return waitForExit(startMuster(words, options));
}

export function waitForExit(child: ChildProcess): Promise<MusterResult> {
  let [out, err] = ["", ""];
  child.stdout?.on("data", (bytes) => {
    out += bytes;
  });
  child.stderr?.on("data", (bytes) => {
    err += bytes;
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
}

/** A temporary folder of a test, which `remove` deletes. */
export class TestFolder {
  readonly folder = mkdtempSync(join(tmpdir(), "muster-test-"));

  /** Writes a file (JSON for anything but text) and returns its path. */
  write(path: string, content: unknown, mode = 0o644): string {
    const file = join(this.folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content, null, 2), { mode });
    return file;
  }

  /** Copies an example and returns its path. */
  example(name: string): string {
    cpSync(join(projectRoot(), "examples", name), join(this.folder, name), {
      recursive: true,
      filter: (path) => !path.endsWith("/runs"),
    });
    return join(this.folder, name);
  }

  read(path: string): string {
    return readFileSync(join(this.folder, path), "utf8");
  }

  json<T>(path: string): T {
    return JSON.parse(this.read(path)) as T;
  }

  /** Returns the lines of a results.ndjson. */
  results(run: string): Record<string, unknown>[] {
    const text = this.read(`${run}/results.ndjson`);
    return text === ""
      ? []
      : text
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
