import { spawn } from "node:child_process";

export interface ProgramRun {
  /** Null where a signal ended it. */
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program with this text as its stdin. Resolves however it ends; rejects only where it cannot be started. */
export function runProgram(argv: string[], stdin = ""): Promise<ProgramRun> {
  const [program, ...words] = argv as [string, ...string[]];
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { stdio: "pipe" });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (piece) => {
      stdout += piece;
    });
    child.stderr.on("data", (piece) => {
      stderr += piece;
    });
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
    child.stdin.on("error", () => undefined);
    child.stdin.end(stdin);
  });
}
