import type { ResourceState, Verdict } from "../playbooks/engine/resource.js";

/** The states that a pass may come to: any of these for all resources; or that one for the resources of a list, and "ok" for others. */
export type ExpectedStates =
  | { readonly any: readonly ResourceState[] }
  | { readonly only: ResourceState; readonly of: readonly string[] };

/** Pure: lists what is wrong with the verdicts of a pass, a sentence each. */
export function listPassProblems(pass: string, verdicts: readonly Verdict[], expected: ExpectedStates): string[] {
  const wrong = verdicts.filter(({ resource, state }) => !listExpected(resource, expected).includes(state));
  const names = "of" in expected ? expected.of : [];
  const missing = names.filter((name) => !verdicts.some(({ resource }) => resource === name));
  return [
    ...wrong.map((verdict) => `${pass}: ${describeVerdict(verdict, listExpected(verdict.resource, expected))}`),
    ...missing.map((name) => `${pass}: the playbook has no resource "${name}"`),
  ];
}

function listExpected(resource: string, expected: ExpectedStates): readonly ResourceState[] {
  if ("any" in expected) return expected.any;
  return expected.of.includes(resource) ? [expected.only] : ["ok"];
}

function describeVerdict(
  { resource, state, reason, differences }: Verdict,
  expected: readonly ResourceState[],
): string {
  const found = differences.map(({ what, have, want }) => `${what} is ${have}, not ${want}`);
  const details = [...(reason === undefined ? [] : [reason]), ...found].join("; ");
  return `"${resource}" is ${state}, expected ${expected.join(" or ")}${details === "" ? "" : ` (${details})`}`;
}
