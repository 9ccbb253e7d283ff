import type { WantedNvidia } from "../../fleet/nodestate.js";
import { parseFactLines } from "../engine/factlines.js";
import type { CommandState, Difference } from "../engine/resource.js";

/** Without persistence the tool initialises each card, which takes seconds. */
const SMI_SECONDS = 30;
export const NVIDIA_TIMEOUT_SECONDS = SMI_SECONDS + 10;

/** Prints `name=value` lines: the running kernel, the version of the module that it would load, what nvidia-smi answers. */
export const NVIDIA_SCRIPT = `export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
echo "kernel=$(uname -r)"
echo "installed=$(modinfo -F version nvidia 2>/dev/null)"
command -v nvidia-smi >/dev/null || { echo "smi=missing"; exit 0; }
answer=$(timeout -k 2 ${SMI_SECONDS} nvidia-smi --query-gpu=pci.bus_id,driver_version --format=csv,noheader 2>&1)
echo "exit=$?"
echo "gpus=$(printf '%s\\n' "$answer" | grep -c '^[0-9A-Fa-f]\\{4,8\\}:')"
echo "driver=$(printf '%s\\n' "$answer" | sed -n 's/^[0-9A-Fa-f]\\{4,8\\}:[^,]*, *//p' | head -n 1)"
echo "error=$(printf '%s\\n' "$answer" | grep -v '^[0-9A-Fa-f]\\{4,8\\}:' | head -n 1)"
exit 0`;

/** Pure: lists what keeps programs from the cards of a node. `cards`: how many there must be at least, because the graphics of the
 * processor count, too; undefined: one. The playbook `gpu` looks at each by its address. */
export function diffNvidia(
  want: WantedNvidia,
  cards: number | undefined,
  { stdout, error }: CommandState,
): Difference[] {
  const facts = parseFactLines(stdout);
  if (!facts.has("kernel")) return [{ what: "driver", have: error ?? "it cannot be checked", want: "an answer" }];
  return [...diffBranch(want, facts), ...diffAnswer(cards, facts)];
}

function diffBranch({ driver }: WantedNvidia, facts: ReadonlyMap<string, string>): Difference[] {
  // Where modinfo knows nothing, e.g. without the package kmod, nvidia-smi names the driver that is loaded.
  const have = facts.get("installed") || facts.get("driver") || "";
  if (driver === undefined || have.split(".")[0] === driver) return [];
  const none = `none for kernel ${facts.get("kernel")}`;
  return [{ what: "driver nvidia", have: have === "" ? none : have, want: `branch ${driver}` }];
}

function diffAnswer(cards: number | undefined, facts: ReadonlyMap<string, string>): Difference[] {
  if (facts.get("smi") === "missing")
    return [{ what: "nvidia-smi", have: "not installed", want: "the package of the driver's tools" }];
  const found = Number(facts.get("gpus") ?? 0);
  const exit = facts.get("exit");
  // 14: a warning about the infoROM of a card that works.
  const isRight = (exit === "0" || exit === "14") && found >= (cards ?? 1);
  if (isRight) return [];
  const reason = exit === "124" || exit === "137" ? `no answer within ${SMI_SECONDS} s` : facts.get("error");
  const have = reason ? `${found}: ${reason.slice(0, 200)}` : `${found}`;
  return [{ what: "GPUs that nvidia-smi sees", have, want: `${cards ?? 1} or more` }];
}
