import type { LeftOutFile, Project } from "./project.js";

/** The most files that a note names. */
const MAX_NAMED_FILES = 3;

/** Returns what a user should know about the project's files that are not copied to nodes, one sentence each. */
export function describeLeftOutFiles({ leftOut }: Project): string[] {
  const secrets = leftOut.filter(({ why }) => why === "env file");
  const large = leftOut.filter(({ why }) => why === "over 4 MB");
  const outside = leftOut.filter(({ why }) => why === "leads out of the project");
  return [
    ...note(
      secrets,
      "may hold secrets, so it is not copied to nodes; pass its values with `env_file`",
      "may hold secrets, so they are not copied to nodes; pass their values with `env_file`",
    ),
    ...note(
      large,
      "is over 4 MB, so it is not copied to nodes; add it to `inputs` if a program reads it",
      "are over 4 MB each, so they are not copied to nodes; add them to `inputs` if a program reads them",
    ),
    ...note(
      outside,
      "is a link out of the project, so it is not copied to nodes; add it to `inputs` if a program reads it",
      "are links out of the project, so they are not copied to nodes; add them to `inputs` if a program reads them",
    ),
  ];
}

function note(files: LeftOutFile[], one: string, several: string): string[] {
  if (files.length === 0) return [];
  const named = files.slice(0, MAX_NAMED_FILES).map(({ path }) => path);
  const more = files.length > MAX_NAMED_FILES ? ` (and ${files.length - MAX_NAMED_FILES} more)` : "";
  return [`${named.join(", ")}${more} ${files.length > 1 ? several : one}`];
}
