import { accessSync, constants, statSync } from "node:fs";
import { resolve } from "node:path";
import type { JobReader } from "./reader.js";

/** Where execvp(3) looks for programs if PATH is not set. */
const DEFAULT_SEARCH_PATH = "/bin:/usr/bin";

/** What is known of a file that is to be started. */
export type ProgramState = "executable" | "not executable" | "no file" | "absent";

/** Returns the folders in which execvp(3) looks for a program without "/" in its name. `searchPath`: the value of PATH, if it is set. */
export function listProgramFolders(searchPath: string | undefined): string[] {
  return (searchPath ?? DEFAULT_SEARCH_PATH).split(":").map((folder) => (folder === "" ? "." : folder));
}

/** Returns whether this process may start the file at `path`. */
export function checkProgramFile(path: string): ProgramState {
  try {
    if (!statSync(path).isFile()) return "no file";
    accessSync(path, constants.X_OK);
    return "executable";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES" ? "not executable" : "absent";
  }
}

/**
 * Reads the `ask` of a job. Reports a program that cannot be started on this machine. `programFolders`: those of PATH; undefined = programs are
 * not looked for.
 */
export function readAsk(reader: JobReader, programFolders: readonly string[] | undefined): string[] | undefined {
  const argv = reader.list(["ask"])?.map(({ text }) => text);
  const [program = ""] = argv ?? [];
  if (programFolders !== undefined && program !== "") checkProgram(reader, program, programFolders);
  return argv;
}

/** It starts in the folder of the job, so that relative paths begin there. */
function checkProgram(reader: JobReader, program: string, programFolders: readonly string[]): void {
  const report = (message: string, hint: string) => reader.reportAt(["ask", 0], `ask[0]: ${message}`, hint);
  const path = resolve(reader.folder, program);
  if (program.includes("/")) {
    const state = checkProgramFile(path);
    if (state === "absent") report(`"${program}" does not exist`, `looked for ${path}`);
    if (state === "no file") report(`"${program}" is not a file`, `looked at ${path}`);
    if (state === "not executable") report(`"${program}" is not executable`, adviseOnMode(program, path));
    return;
  }
  const states = programFolders.map((folder) => checkProgramFile(resolve(reader.folder, folder, program)));
  if (states.includes("executable")) return;
  const isBeside = checkProgramFile(path) === "executable" || checkProgramFile(path) === "not executable";
  report(
    `there is no program "${program}" in the folders of PATH`,
    isBeside ? `a program in the folder of the job is written ./${program}` : "install it, or write its path",
  );
}

function adviseOnMode(program: string, path: string): string {
  return `chmod +x ${path}, or name its interpreter, e.g. ask: [python3, ${program}]`;
}
