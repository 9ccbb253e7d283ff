import type { AccessState, Difference } from "./resource.js";

/** Pure: lists how other users could tamper with a path, each with its remedy. */
export function diffAccess(path: string, { problems, error }: AccessState): Difference[] {
  if (error !== undefined)
    return [{ what: path, have: `its permissions cannot be checked: ${error}`, want: "safe from others" }];
  return problems.map((problem) => ({
    what: problem.path,
    have: problem.fault,
    want: `safe from others (${problem.fix})`,
  }));
}
