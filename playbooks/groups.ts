import { MusterError } from "../schemas/errors.js";
import type { CommandState, Difference, PlaybookContext, Resource } from "./engine/resource.js";
import { runAsRoot } from "./engine/sudo.js";

const TIMEOUT_SECONDS = 10;
/** Prints whether the group exists, and the groups of each user, a line each. */
const LOOK_SCRIPT = `getent group "$1" >/dev/null && echo "group $1"
shift
for user; do groups=$(id -Gn -- "$user" 2>/dev/null) && echo "user $user $groups"; done
exit 0`;

/** Keeps users in groups: `groups` of the inventory. */
export default function* groups({ node }: PlaybookContext): Generator<Resource> {
  for (const [group, users] of Object.entries(node.state.groups)) yield groupResource({ group, users }) as Resource;
}

/** Returns a resource for the membership of users in a group. Both must exist; other members are left alone. */
export function groupResource({ group, users }: { group: string; users: readonly string[] }): Resource<CommandState> {
  return {
    name: `group ${group}`,
    probe: { ask: "command", argv: ["/bin/sh", "-c", LOOK_SCRIPT, "look", group, ...users], timeout: TIMEOUT_SECONDS },
    diff: ({ stdout }) => diffMembers(group, users, stdout),
    change: async ({ stdout }, { $ }) => {
      const missing = diffMembers(group, users, stdout);
      const unknown = missing.find(({ have }) => have === UNKNOWN);
      if (unknown !== undefined)
        throw new MusterError("REFUSED", `there is no ${unknown.what} on the node`, {
          next: "Create it there, or install the package that brings it (playbook `packages`).",
        });
      for (const { what } of missing) await $`${runAsRoot(["usermod", "-aG", group, what.replace(/^user /, "")])}`;
    },
  };
}

const UNKNOWN = "unknown";

/** Pure: lists the group if it is unknown, and the users who are unknown or no members. */
function diffMembers(group: string, users: readonly string[], answer: string): Difference[] {
  const lines = answer.split("\n").map((line) => line.split(" "));
  if (!lines.some(([kind, name]) => kind === "group" && name === group))
    return [{ what: `group ${group}`, have: UNKNOWN, want: `a group with ${users.join(", ")}` }];
  return users.flatMap((user): Difference[] => {
    const found = lines.find(([kind, name]) => kind === "user" && name === user)?.slice(2);
    if (found === undefined) return [{ what: `user ${user}`, have: UNKNOWN, want: `in group ${group}` }];
    return found.includes(group) ? [] : [{ what: `user ${user}`, have: "not a member", want: `in group ${group}` }];
  });
}
