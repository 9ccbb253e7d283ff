import { resolve } from "node:path";
import { checkProgramFile } from "../job/askprogram.js";

/** Returns why a program of this machine could not be started. `cwd`: the folder that it was to start in. */
export function describeSpawnError(error: NodeJS.ErrnoException, program: string, cwd: string): string {
  if (error.code === "EACCES") return `${program} may not be executed: it lacks the permission`;
  if (error.code !== "ENOENT") return error.message;
  if (program.includes("/") && checkProgramFile(resolve(cwd, program)) === "executable")
    return `the interpreter in the first line of ${program} does not exist`;
  return `there is no program ${program}`;
}
