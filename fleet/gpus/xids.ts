import type { ProbeOutput } from "./probeoutput.js";

/** A shell script that prints the Xid errors in the kernel log, where the user may read it. */
export const XID_SCRIPT = "dmesg 2>/dev/null | grep -F 'NVRM: Xid' | tail -n 100";

/**
 * Xid errors after which NVIDIA's Xid catalog has the GPU reset or the machine restarted; other errors end with the program that caused
 * them. 155 is not among them, because it also reports links that were taken down on purpose.
 */
const FATAL_XIDS = [46, 48, 62, 64, 74, 79, 95, 109, 110, 119, 120, 136, 140, 143, 156, 158];
/** Reports the recovery action that a GPU needs: "GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)". */
const RECOVERY_ACTION_XID = 154;
const RECOVERED = /\bto 0x0+ \(None\)/i;

/** Finds the GPUs with a fatal error in the kernel log: by PCI address, the last such error. One that needs no recovery action has none. */
export function findFatalXids(log: ProbeOutput | undefined): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of (log?.stdout ?? "").split("\n")) {
    const [, address, number, text = ""] =
      /NVRM: Xid \((?:PCI:)?(?:[0-9a-f]{4})?([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2})[^)]*\): (\d+)(.*)/i.exec(line) ?? [];
    if (address === undefined) continue;
    const pci = `${address.toLowerCase()}.0`;
    const code = Number(number);
    if (code === RECOVERY_ACTION_XID && RECOVERED.test(text)) found.delete(pci);
    else if (code === RECOVERY_ACTION_XID) found.set(pci, found.get(pci) ?? code);
    else if (FATAL_XIDS.includes(code)) found.set(pci, code);
  }
  return found;
}
