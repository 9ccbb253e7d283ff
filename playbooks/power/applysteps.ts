import type { GpuVendor } from "../../fleet/gpus/probeoutput.js";
import { resolveWithin } from "../../fleet/rejectonabort.js";
import { MusterError } from "../../schemas/errors.js";
import type { ChangeContext } from "../engine/resource.js";
import { createSudoError, runAsRoot } from "../engine/sudo.js";
import {
  type CardStep,
  type CardStepResult,
  describeStep,
  parseStepAnswer,
  STEP_TIMEOUT_SECONDS,
} from "./cardsteps.js";
import { groupCards } from "./groupcards.js";
import { changingCommand } from "./stepcommand.js";

/** Beyond the timeouts of all steps. */
const SPARE_SECONDS = 30;

/**
 * Performs steps on GPUs as root, all GPUs side by side, each up to the first step that fails. Rejects with a MusterError that names the
 * GPUs and their steps: SUDO, COMMAND, TIMEOUT.
 */
export async function applySteps(
  vendor: GpuVendor,
  steps: ReadonlyMap<string, readonly CardStep[]>,
  { $, node }: ChangeContext,
): Promise<void> {
  const longest = Math.max(0, ...[...steps.values()].map((one) => one.length));
  const seconds = STEP_TIMEOUT_SECONDS * longest + SPARE_SECONDS;
  const argv = runAsRoot(changingCommand(vendor, node.python, steps));
  const done = await resolveWithin($({ nothrow: true })`exec ${argv}`, seconds * 1000);
  if (done === undefined) {
    const addresses = [...steps.keys()].join(", ");
    throw new MusterError("TIMEOUT", `the settings of GPU ${addresses} were not changed within ${seconds} s`, HANG);
  }
  const { stdout, stderr, exitCode: exit } = done;
  const answer = parseStepAnswer({ stdout, stderr, exit });
  if ("problem" in answer) {
    if (/sudo/.test(stderr)) throw createSudoError(answer.problem);
    throw new MusterError("COMMAND", `the settings of GPUs cannot be changed: ${answer.problem}`);
  }
  const failures = [...steps].flatMap(([pci, wanted]) => {
    const failure = findFailure(wanted, answer.cards.get(pci) ?? []);
    return failure === undefined ? [] : [[pci, failure] as const];
  });
  if (failures.length === 0) return;
  const text = groupCards(failures);
  throw new MusterError("COMMAND", text, /no answer within/.test(text) ? HANG : {});
}

const HANG = {
  next: "Check `dmesg` there for errors of the driver; a card that hangs usually needs a reboot of the node.",
};

/** Describes the first step that failed or was not performed. */
export function findFailure(steps: readonly CardStep[], results: readonly CardStepResult[]): string | undefined {
  for (const [index, step] of steps.entries()) {
    const { error } = results[index] ?? { error: "not done" };
    if (error !== undefined) return `${describeStep(step)}: ${error}`;
  }
  return undefined;
}
