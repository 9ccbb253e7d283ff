import type { WantedCheckout } from "../../fleet/nodestate.js";
import type { CommandState, Difference } from "../engine/resource.js";

/** What git says of a checkout. */
export interface CheckoutState {
  kind: "missing" | "empty" | "other" | "checkout";
  /** Why it cannot be looked at. */
  problem?: string;
  head?: string;
  /** The commit that is wanted, where the checkout knows it. */
  wanted?: string;
  origin?: string;
  /** Files that git tracks and that differ from HEAD, as `git status` names them; the first few. */
  changes: readonly string[];
  /** How many commits are in no branch of the origin and under no tag. */
  ownCommits: number;
}

/** The most local changes that are named. */
const MAX_CHANGES = 5;

/** Prints `NAME VALUE` lines about the checkout at $1, and the commit that $2 names there; changes nothing. */
export const LOOK_SCRIPT = `at=$1
case $at in "~/"*) at=$HOME/\${at#"~/"};; esac
export LC_ALL=C GIT_OPTIONAL_LOCKS=0
command -v git >/dev/null || { echo "problem git is not installed"; exit 0; }
[ -e "$at" ] || { echo "kind missing"; exit 0; }
if [ ! -e "$at/.git" ]; then
  if [ -d "$at" ] && [ -z "$(ls -A -- "$at")" ]; then echo "kind empty"; else echo "kind other"; fi
  exit 0
fi
cd -- "$at" || exit 1
echo "kind checkout"
git rev-parse --git-dir >/dev/null 2>/dev/null || { echo "problem $(git rev-parse --git-dir 2>&1 | head -n1)"; exit 0; }
echo "head $(git rev-parse --verify -q HEAD)"
echo "wanted $(git rev-parse --verify -q "refs/tags/$2^{commit}" || git rev-parse --verify -q "$2^{commit}")"
echo "origin $(git config --get remote.origin.url)"
echo "own $(git rev-list --count HEAD --not --remotes --tags "$2" 2>/dev/null || git rev-list --count HEAD --not --remotes --tags 2>/dev/null)"
git status --porcelain --untracked-files=no 2>/dev/null | head -n ${MAX_CHANGES + 1} | sed 's/^/change /'
exit 0`;

/** Pure: reads what LOOK_SCRIPT prints. */
export function parseCheckoutState({ stdout, error }: CommandState): CheckoutState {
  const state: CheckoutState = { kind: "missing", changes: [], ownCommits: 0 };
  if (error !== undefined) return { ...state, problem: error };
  const changes: string[] = [];
  for (const line of stdout.split("\n")) {
    const [, name, value = ""] = /^(\w+) (.*)$/.exec(line) ?? [];
    if (name === "kind" && (value === "empty" || value === "other" || value === "checkout")) state.kind = value;
    else if (name === "problem") state.problem = value;
    else if ((name === "head" || name === "wanted") && /^[0-9a-f]{40,64}$/.test(value)) state[name] = value;
    else if (name === "origin") state.origin = value;
    else if (name === "own") state.ownCommits = Number(value) || 0;
    else if (name === "change") changes.push(value.trim());
  }
  return { ...state, changes };
}

/** A difference of a checkout. */
export interface CheckoutDifference extends Difference {
  kind: "problem" | "missing" | "other" | "origin" | "commit" | "changes" | "own commits";
}

/** Pure: lists how a checkout differs. */
export function diffCheckout(folder: string, want: WantedCheckout, have: CheckoutState): CheckoutDifference[] {
  const what = `git ${folder}`;
  if (have.problem !== undefined) return [{ kind: "problem", what, have: have.problem, want: want.at }];
  if (have.kind === "missing" || have.kind === "empty")
    return [{ kind: "missing", what, have: have.kind === "empty" ? "an empty folder" : "missing", want: want.at }];
  if (have.kind === "other") return [{ kind: "other", what, have: "no checkout of git", want: want.at }];
  const found: CheckoutDifference[] = [];
  if (have.origin !== want.repo)
    found.push({
      kind: "origin",
      what: `${what} origin`,
      have: maskPassword(have.origin || "none"),
      want: maskPassword(want.repo),
    });
  if (have.head === undefined || have.head !== have.wanted)
    found.push({
      kind: "commit",
      what,
      have: have.head?.slice(0, 12) ?? "no commit",
      want: describeCommit(want, have),
    });
  if (have.changes.length > 0)
    found.push({ kind: "changes", what, have: describeChanges(have.changes), want: "no local changes" });
  if (have.ownCommits > 0 && have.head !== have.wanted)
    found.push({ kind: "own commits", what, have: `${have.ownCommits} commits of its own`, want: "none" });
  return found;
}

function describeCommit({ at }: WantedCheckout, { wanted }: CheckoutState): string {
  return wanted === undefined || at === wanted ? at.slice(0, 40) : `${at} (${wanted.slice(0, 12)})`;
}

/** Returns an address without the password or token in it. */
function maskPassword(address: string): string {
  return address.replace(/:\/\/[^@/]*@/, "://***@");
}

function describeChanges(changes: readonly string[]): string {
  const more = changes.length > MAX_CHANGES ? ", ..." : "";
  return `changed: ${changes.slice(0, MAX_CHANGES).join(", ")}${more}`;
}
