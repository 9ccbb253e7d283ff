import type { WantedRocm } from "../../fleet/nodestate.js";
import { parseFactLines } from "../engine/factlines.js";
import type { CommandState, Difference } from "../engine/resource.js";

/** Longer than rocminfo takes to initialise eight cards on a slow machine. */
const ROCMINFO_SECONDS = 30;
export const ROCM_TIMEOUT_SECONDS = ROCMINFO_SECONDS + 10;

/**
 * Prints `name=value` lines: the release in /opt/rocm, the running kernel, the amdgpu module (where its file is, its version, the version that is
 * loaded), what keeps this user from /dev/kfd, how many GPUs rocminfo sees, its exit status, and its last error.
 */
export const ROCM_SCRIPT = `export LC_ALL=C PATH="$PATH:/opt/rocm/bin:/usr/sbin:/sbin"
echo "release=$(cat /opt/rocm/.info/version 2>/dev/null)"
echo "kernel=$(uname -r)"
echo "user=$(id -un)"
echo "module=$(modinfo -F filename amdgpu 2>/dev/null)"
[ -e /sys/module/amdgpu ] && echo "loaded=yes"
if [ ! -e /dev/kfd ]; then echo "kfd=missing"
elif [ ! -r /dev/kfd ] || [ ! -w /dev/kfd ]; then echo "kfd=$(stat -c %G /dev/kfd)"
fi
command -v rocminfo >/dev/null || { echo "rocminfo=missing"; exit 0; }
answer=$(timeout -k 2 ${ROCMINFO_SECONDS} rocminfo 2>&1)
echo "exit=$?"
echo "gpus=$(printf '%s\\n' "$answer" | grep -c '^ *Device Type: *GPU')"
printf '%s\\n' "$answer" | grep -i -m 1 -E 'not loaded|unable|fail|error|not a member|denied' | sed 's/^/error=/'
exit 0`;

/** Runs the script $1 with the groups that the user has by now: this session has those of its log-in. */
export const FRESH_LOGIN_SCRIPT = `user=$(id -un)
if [ "$(id -Gn | tr ' ' '\n' | sort)" != "$(id -Gn -- "$user" | tr ' ' '\n' | sort)" ] && sudo -n true 2>/dev/null; then
  exec sudo -n -u "$user" -- /bin/sh -c "$1"
fi
exec /bin/sh -c "$1"`;

/** Pure: lists what keeps programs of ROCm from the cards of a node, each with its remedy. `cards`: how many there must be at least, because the graphics of the
 * processor count, too; undefined: one. The playbook `gpu` looks at each by its address. */
export function diffRocm(want: WantedRocm, cards: number | undefined, { stdout, error }: CommandState): Difference[] {
  const facts = parseFactLines(stdout);
  if (!facts.has("kernel")) return [{ what: "ROCm", have: error ?? "it cannot be checked", want: "an answer" }];
  return [...diffRelease(want, facts), ...diffDriver(want, facts), ...diffCards(cards, facts)];
}

type RocmFacts = ReadonlyMap<string, string>;

/** The file holds "6.4.3-128". */
function diffRelease({ release }: WantedRocm, facts: RocmFacts): Difference[] {
  const have = facts.get("release") || "none in /opt/rocm";
  if (release === undefined || isRelease(have, release)) return [];
  return [{ what: "ROCm", have, want: release }];
}

/** Pure: whether "6.4.0-47" is 6.4, and 6.4.3-128 is 6.4.3. */
export function isRelease(have: string, want: string): boolean {
  const numbers = (text: string) => [...text.split("-")[0]!.split("."), "0", "0"].slice(0, 3).map(Number);
  return String(numbers(have)) === String(numbers(want));
}

function diffDriver({ driver }: WantedRocm, facts: RocmFacts): Difference[] {
  const file = facts.get("module") ?? "";
  const isBuilt = /\/(updates|extra)\//.test(file);
  if (driver !== undefined && !isBuilt) {
    const have = `${file === "" ? "none" : "the kernel's own"} for kernel ${facts.get("kernel")}`;
    return [{ what: "driver amdgpu", have, want: `amdgpu-dkms ${driver} (see \`dkms status\` there)` }];
  }
  return facts.get("loaded") === "yes" ? [] : [{ what: "driver amdgpu", have: "not loaded", want: "loaded" }];
}

function diffCards(cards: number | undefined, facts: RocmFacts): Difference[] {
  const kfd = facts.get("kfd");
  if (kfd === "missing") return [{ what: "/dev/kfd", have: "missing", want: "the device of the driver" }];
  if (kfd !== undefined) {
    const have = `${facts.get("user")} may not open it`;
    return [{ what: "/dev/kfd", have, want: `a member of its group, ${kfd}` }];
  }
  if (facts.get("rocminfo") === "missing")
    return [{ what: "rocminfo", have: "not installed", want: "the package rocminfo" }];
  const found = Number(facts.get("gpus") ?? 0);
  if (facts.get("exit") === "0" && found >= (cards ?? 1)) return [];
  return [{ what: "GPUs that rocminfo sees", have: describeAnswer(found, facts), want: `${cards ?? 1} or more` }];
}

function describeAnswer(found: number, facts: RocmFacts): string {
  const exit = facts.get("exit");
  const ending = exit === "124" || exit === "137" ? `no answer within ${ROCMINFO_SECONDS} s` : facts.get("error");
  return ending === undefined ? `${found}` : `${found}: ${ending.slice(0, 200)}`;
}
