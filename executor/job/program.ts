import { accessSync, closeSync, constants, openSync, readSync } from "node:fs";
import type { Program, StagedFile } from "./job.js";

/** How a script starts, or why it cannot. */
export type ProgramStart = { ok: true; program: Program } | { ok: false; message: string; hint: string };

const FIRST_LINE_BYTES = 4096;
const ELF_MAGIC = "\x7fELF";

/**
 * Decides from the local file how a script starts on a node. An executable with `#!` gets the words of its first line as
 * prefix, so that it runs even if the working directory is mounted noexec. A binary runs as it is. Any other `*.py` runs
 * under the node's python.
 */
export function detectProgram(script: StagedFile): ProgramStart {
  const beginning = readBeginning(script.source);
  const started = (prefix: string[]): ProgramStart => ({ ok: true, program: { kind: "script", script, prefix } });
  if (isExecutable(script.source)) {
    if (beginning.startsWith("#!")) return programFromFirstLine(script, beginning);
    if (beginning.startsWith(ELF_MAGIC)) return started([]);
  }
  if (script.path.endsWith(".py")) return started(["{python}"]);
  if (isExecutable(script.source)) {
    return {
      ok: false,
      message: "is executable, but it has no #! line and is no ELF program",
      hint: "add a first line like #!/bin/sh",
    };
  }
  return {
    ok: false,
    message: "is neither executable nor *.py, so it cannot be started",
    hint: `chmod +x ${script.path} (and give it a first line like #!/bin/sh)`,
  };
}

/** Splits a `#!` line as the kernel does: an interpreter and at most one argument. */
export function parseInterpreter(firstLine: string): string[] {
  const line = firstLine
    .slice(2)
    .replace(/[ \t]+$/, "")
    .replace(/^[ \t]+/, "");
  const [, interpreter, argument] = /^([^ \t]*)[ \t]*(.*)$/s.exec(line)!;
  return [interpreter!, argument!].filter((word) => word !== "");
}

function programFromFirstLine(script: StagedFile, beginning: string): ProgramStart {
  const line = beginning.split("\n", 1)[0]!;
  if (line.endsWith("\r")) {
    return {
      ok: false,
      message: "has a first line that ends in a carriage return",
      hint: `sed -i 's/\\r$//' ${script.path}`,
    };
  }
  const prefix = parseInterpreter(line);
  if (prefix.length === 0)
    return { ok: false, message: "has a #! line that names no interpreter", hint: "e.g. #!/bin/sh" };
  return { ok: true, program: { kind: "script", script, prefix } };
}

function readBeginning(file: string): string {
  const descriptor = openSync(file, "r");
  try {
    const buffer = Buffer.alloc(FIRST_LINE_BYTES);
    const size = readSync(descriptor, buffer, 0, FIRST_LINE_BYTES, 0);
    return buffer.subarray(0, size).toString("latin1");
  } finally {
    closeSync(descriptor);
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
