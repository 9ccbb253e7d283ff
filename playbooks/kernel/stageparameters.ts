import { encodeBytes } from "../../schemas/bytetext.js";
import { MusterError } from "../../schemas/errors.js";
import type { ChangeContext } from "../engine/resource.js";
import { runAsRoot } from "../engine/sudo.js";
import type { StagingStep } from "./bootloaders.js";
import { isPlainOption, type KernelOptions } from "./kernelcmdline.js";

type WriteStep = Extract<StagingStep, { write: string }>;

/**
 * Performs the steps of `planStaging`: writes the files, then runs the programs that make them effective. If one of these fails, the files
 * get their old content back, so that the next attempt does not take them for staged. Rejects with a MusterError (BOOT_LOADER) before
 * anything is written if a file or a value cannot be written, and with the error of a failed command.
 */
export async function stageParameters(
  steps: StagingStep[] | undefined,
  want: KernelOptions,
  context: ChangeContext,
): Promise<void> {
  rejectUnwritable(steps, want);
  const writes = steps.filter((step) => "write" in step);
  const removals = steps.flatMap((step) => (step.loader === "GRUB" && "remove" in step ? [step.file] : []));
  try {
    for (const { file, write } of writes)
      await context.place({ path: file, content: encodeBytes(write), become: true });
    for (const file of removals) await context.$`${runAsRoot(["rm", "-f", "--", file])}`;
    await runPrograms(steps, want, context);
  } catch (error) {
    for (const step of writes) await restore(step, context);
    throw error;
  }
}

function rejectUnwritable(steps: StagingStep[] | undefined, want: KernelOptions): asserts steps is StagingStep[] {
  const wanted = want.map(([name, value]) => `${name}=${value}`).join(" ");
  const byHand = { next: `Add ${wanted} to the kernel command line of its boot loader by hand, then reboot it.` };
  if (steps === undefined)
    throw new MusterError("BOOT_LOADER", "found neither GRUB nor /etc/kernel/cmdline nor kernelstub", byHand);
  if (!want.every(([, value]) => isPlainOption(value)))
    throw new MusterError("BOOT_LOADER", `${wanted} cannot be written without quotes`, byHand);
  const refused = steps.find((step) => "problem" in step);
  if (refused !== undefined) throw new MusterError("BOOT_LOADER", `${refused.file}: ${refused.problem}`, byHand);
}

async function restore({ file, before }: WriteStep, context: ChangeContext): Promise<void> {
  if (before === undefined) await context.$`${runAsRoot(["rm", "-f", "--", file])}`;
  else await context.place({ path: file, content: encodeBytes(before), become: true });
}

async function runPrograms(steps: StagingStep[], want: KernelOptions, { $ }: ChangeContext): Promise<void> {
  const loaders = new Set(steps.map(({ loader }) => loader));
  if (steps.some((step) => step.loader === "entries" && !("write" in step))) {
    const names = want.map(([name]) => name).join(" ");
    const options = want.map(([name, value]) => `${name}=${value}`).join(" ");
    await $`${runAsRoot(["/bin/sh", "-c", UPDATE_ENTRIES, "sh", names, options])}`;
  }
  if (loaders.has("GRUB")) await $`${runAsRoot(["/bin/sh", "-c", MAKE_GRUB_CONFIG])}`;
  if (loaders.has("systemd-boot")) await $`${runAsRoot(["/bin/sh", "-c", MAKE_BOOT_ENTRY])}`;
  for (const step of steps) if (step.loader === "kernelstub") await runKernelstub(step.remove, step.add, $);
}

async function runKernelstub(remove: string[], add: string[], $: ChangeContext["$"]): Promise<void> {
  if (remove.length > 0) await $`${runAsRoot(["kernelstub", "--delete-options", remove.join(" ")])}`;
  await $`${runAsRoot(["kernelstub", "--add-options", add.join(" ")])}`;
}

const SBIN_PATH = "PATH=$PATH:/usr/sbin:/sbin";
/** Proxmox boots from copies on other partitions, which this program writes. */
const REFRESH_PROXMOX = `if command -v proxmox-boot-tool >/dev/null && [ -s /etc/kernel/proxmox-boot-uuids ]; then
  exec proxmox-boot-tool refresh
fi`;
/** For all kernels, and for those that are installed later. */
const UPDATE_ENTRIES = `${SBIN_PATH}
exec grubby --update-kernel=ALL --remove-args="$1" --args="$2"`;
/**
 * Runs update-grub (Debian, Ubuntu), else the grub-mkconfig that it wraps; does nothing if GRUB is not installed. Since RHEL 9.3,
 * grub2-mkconfig leaves the command lines of boot entries as they are without --update-bls-cmdline.
 */
const MAKE_GRUB_CONFIG = `${SBIN_PATH}
set -e
if command -v update-grub >/dev/null; then
  update-grub
else
  for name in grub2 grub; do
    if command -v $name-mkconfig >/dev/null && [ -f /boot/$name/grub.cfg ]; then
      update=; if $name-mkconfig --help 2>&1 | grep -q -e --update-bls-cmdline; then update=--update-bls-cmdline; fi
      $name-mkconfig -o /boot/$name/grub.cfg $update
      break
    fi
  done
fi
${REFRESH_PROXMOX}`;
const MAKE_BOOT_ENTRY = `${SBIN_PATH}
${REFRESH_PROXMOX}
release=$(uname -r)
if command -v kernel-install >/dev/null && [ -f "/boot/vmlinuz-$release" ]; then
  exec kernel-install add "$release" "/boot/vmlinuz-$release"
fi`;
