import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../lab/project.js";
import { findProgram } from "../lab/requirements.js";

/** A job file of docs/recipes.md. */
export interface Recipe {
  /** The name that its first line gives it, e.g. `primes.yaml`. */
  file: string;
  text: string;
}

/** Returns the job files of docs/recipes.md: blocks of lines indented by four spaces whose first is `# FILE.yaml`. */
export function listRecipes(): Recipe[] {
  const page = readFileSync(join(projectRoot(), "docs/recipes.md"), "utf8");
  const blocks = page.split("\n\n").filter((block) => /^ {4}# \S+\.yaml\n/.test(block));
  return blocks.map((block) => {
    const text = block.replace(/^ {4}/gm, "");
    return { file: /^# (\S+)/.exec(text)![1]!, text: `${text}\n` };
  });
}

/** Returns the text of one of these job files. Throws if the page has none of this name. */
export function readRecipe(file: string): string {
  const recipe = listRecipes().find((one) => one.file === file);
  if (recipe === undefined) throw new Error(`docs/recipes.md has no ${file}`);
  return recipe.text;
}

/** Returns why a test that runs this program is skipped here; false if it is installed. */
export function lackingProgram(program: string, debianPackage = program): string | false {
  return findProgram(program) === undefined && `needs ${program}: apt-get install ${debianPackage}`;
}

/** Runs a program and returns what it prints. Throws if it fails. */
export function runProgram(program: string, args: string[], cwd?: string): string {
  return execFileSync(program, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
