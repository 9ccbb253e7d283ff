import type { LeftOutFile, Project } from "./project.js";

/** The most files that a note names. */
const MAX_NAMED_FILES = 3;

/** Returns what a user should know about the files of a project that do not go along, one sentence each. */
export function describeLeftOutFiles({ leftOut }: Project): string[] {
  const secrets = leftOut.filter(({ why }) => why === "env file");
  const large = leftOut.filter(({ why }) => why === "over 4 MB");
  const outside = leftOut.filter(({ why }) => why === "leads out of the project");
  return [
    ...note(secrets, "may hold secrets, so it stays here; `env_file` passes on its values"),
    ...note(large, "is over 4 MB, so it does not go along; list it in `inputs` if a program reads it"),
    ...note(
      outside,
      "is a link out of the project, so it does not go along; list it in `inputs` if a program reads it",
    ),
  ];
}

function note(files: LeftOutFile[], what: string): string[] {
  if (files.length === 0) return [];
  const named = files.slice(0, MAX_NAMED_FILES).map(({ path }) => path);
  const more = files.length > MAX_NAMED_FILES ? ` (and ${files.length - MAX_NAMED_FILES} more like it)` : "";
  return [`${named.join(", ")}${more}: ${files.length > 1 ? "each " : ""}${what}`];
}
