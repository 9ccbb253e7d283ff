import type { WantedCheckout } from "../fleet/nodestate.js";
import { MusterError } from "../schemas/errors.js";
import { needsRoot } from "./engine/needsroot.js";
import type { ChangeContext, CommandState, PlaybookContext, Resource } from "./engine/resource.js";
import { runAsRoot } from "./engine/sudo.js";
import { type CheckoutDifference, diffCheckout, LOOK_SCRIPT, parseCheckoutState } from "./git/checkoutstate.js";

const LOOK_TIMEOUT_SECONDS = 30;
const CHANGE_SECONDS = 900;
/** No questions: neither for a password, nor for a host key. */
const ENVIRONMENT = ["env", "GIT_TERMINAL_PROMPT=0", "GIT_SSH_COMMAND=ssh -o BatchMode=yes", "LC_ALL=C"];

/** $1: folder, $2: address, $3: tag or commit, $4: `force` where local changes go. */
const CHANGE_SCRIPT = `at=$1
case $at in "~/"*) at=$HOME/\${at#"~/"};; esac
if [ ! -e "$at/.git" ]; then
  mkdir -p -- "$at"
  git init -q -- "$at"
fi
cd -- "$at"
git remote set-url origin "$2" 2>/dev/null || git remote add origin "$2"
find() { git rev-parse --verify -q "refs/tags/$1^{commit}" || git rev-parse --verify -q "$1^{commit}"; }
commit=$(find "$3") || { git fetch -q --tags --force origin; commit=$(find "$3"); } || {
  git fetch -q origin "$3" 2>/dev/null && commit=$(git rev-parse --verify FETCH_HEAD)
} || { echo "the repository has no tag or commit $3" >&2; exit 3; }
keep=--no-overwrite-ignore
if [ "$4" = force ]; then
  keep=--overwrite-ignore
  if git rev-parse --verify -q HEAD >/dev/null; then git reset -q --hard; fi
fi
git -c advice.detachedHead=false checkout -q $keep --detach "$commit"`;

/** Keeps checkouts of repositories at a commit or tag: `git` of the inventory. */
export default function* git({ node }: PlaybookContext): Generator<Resource> {
  for (const [folder, want] of Object.entries(node.state.git)) yield checkoutResource({ folder, ...want }) as Resource;
}

/**
 * Returns a resource for a checkout. Local changes and commits are drift, which is only overwritten with `force`; files that git does not
 * track are left alone.
 */
export function checkoutResource({ folder, ...want }: WantedCheckout & { folder: string }): Resource<CommandState> {
  const become = needsRoot(folder);
  const argv = ["/bin/sh", "-c", LOOK_SCRIPT, "look", folder, want.at];
  return {
    name: `git ${folder}`,
    probe: { ask: "command", argv, timeout: LOOK_TIMEOUT_SECONDS, become },
    diff: (answer) =>
      diffCheckout(folder, want, parseCheckoutState(answer)).map(({ kind: _, ...difference }) => difference),
    change: async (answer, context) => {
      const refusal = findRefusal(diffCheckout(folder, want, parseCheckoutState(answer)), want);
      if (refusal !== undefined) throw refusal;
      await changeCheckout(folder, want, become, context);
    },
  };
}

function findRefusal(differences: CheckoutDifference[], { force }: WantedCheckout): MusterError | undefined {
  const refuse = ({ what, have }: CheckoutDifference, next: string) => {
    return new MusterError("REFUSED", `${what}: ${have}`, { next });
  };
  for (const one of differences) {
    if (one.kind === "problem") return refuse(one, "Mend it there; git itself says what is wrong.");
    if (one.kind === "other") return refuse(one, "Move what is there away, or name another folder.");
    if ((one.kind === "changes" || one.kind === "own commits") && !force)
      return refuse(one, "Push or throw them away there, or say `force: true` to overwrite them.");
  }
  return undefined;
}

async function changeCheckout(
  folder: string,
  { repo, at, force }: WantedCheckout,
  become: boolean,
  { $ }: ChangeContext,
): Promise<void> {
  const words = [
    ...ENVIRONMENT,
    "timeout",
    `${CHANGE_SECONDS}`,
    "/bin/sh",
    "-eu",
    "-c",
    CHANGE_SCRIPT,
    "change",
    folder,
    repo,
    at,
    force ? "force" : "",
  ];
  const { exitCode, stderr } = await $({ nothrow: true })`${become ? runAsRoot(words) : words}`;
  if (exitCode === 0) return;
  const lines = stderr.trim().split("\n");
  const message = lines.findLast((line) => /^(fatal|error): /.test(line)) ?? lines.at(-1);
  throw new MusterError("COMMAND", `git ${folder}: ${message || `exit ${exitCode}`}`, {
    next: "Check the address, and whether the node can reach it without a password (a deploy key, an agent).",
  });
}
