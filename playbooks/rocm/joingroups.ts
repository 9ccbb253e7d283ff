import { parseFactLines } from "../engine/factlines.js";
import type { CommandState, Difference, Resource } from "../engine/resource.js";
import { runAsRoot } from "../engine/sudo.js";

const TIMEOUT_SECONDS = 10;
/** The owners of /dev/kfd and /dev/dri. */
const GROUPS = ["render", "video"];
/** Prints `name=value` lines: the user, the user's groups by the database, not of this session, and which of the groups there are. */
const LOOK_SCRIPT = `user=$(id -un)
echo "uid=$(id -u)"
echo "user=$user"
echo "groups=$(id -Gn -- "$user")"
for group; do getent group "$group" >/dev/null && echo "$group=there"; done
exit 0`;

/** Returns a resource for the membership of the user who logs in, in the groups that may use AMD's devices; root needs none. */
export function deviceGroupsResource(name: string): Resource<CommandState> {
  return {
    name,
    probe: { ask: "command", argv: ["/bin/sh", "-c", LOOK_SCRIPT, "look", ...GROUPS], timeout: TIMEOUT_SECONDS },
    diff: ({ stdout }) => diffDeviceGroups(stdout),
    change: async ({ stdout }, { $ }) => {
      const user = parseFactLines(stdout).get("user") ?? "";
      for (const { want } of diffDeviceGroups(stdout)) await $`${runAsRoot(["usermod", "-aG", want, "--", user])}`;
    },
  };
}

/** Pure: lists the groups that are there, and the user is no member of. A group that is missing comes with the packages of the driver. */
function diffDeviceGroups(answer: string): Difference[] {
  const facts = parseFactLines(answer);
  const own = facts.get("groups");
  if (own === undefined) return [{ what: "groups", have: "they cannot be listed", want: GROUPS.join(", ") }];
  if (facts.get("uid") === "0") return [];
  const missing = GROUPS.filter((group) => facts.get(group) === "there" && !own.split(" ").includes(group));
  return missing.map((group) => ({ what: `groups of ${facts.get("user")}`, have: own, want: group }));
}
