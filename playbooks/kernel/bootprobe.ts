/** What the boot loader's programs and entries show, besides its files. */
export interface BootEntries {
  /** The command lines of the boot entries (Boot Loader Specification); empty: there are none, or they cannot be read. */
  entries: string[];
  /** GRUB boots these entries, so the command lines of grub.cfg do not count (Fedora, and RHEL since 8). */
  hasGrubEntries: boolean;
  hasGrubby: boolean;
  /** grub-mkconfig of this system does not read /etc/default/grub.d. */
  ignoresGrubFolder: boolean;
}

/**
 * Prints `name=value` lines for `parseBootEntries`; changes nothing. Where GRUB boots entries, only root can read them, so grubby runs with
 * sudo if that needs no password.
 */
export const BOOT_SCRIPT = `PATH=$PATH:/usr/sbin:/sbin
mkconfig=$(command -v grub-mkconfig || command -v grub2-mkconfig) && ! grep -q 'default/grub\\.d' "$mkconfig" && echo folder=ignored
command -v grubby >/dev/null && echo grubby=yes
if grep -Eqs '^[[:space:]]*blscfg' /boot/grub2/grub.cfg /boot/grub/grub.cfg ||
  grep -Eqs '^[[:space:]]*GRUB_ENABLE_BLSCFG=["'\\'']?true' /etc/default/grub; then
  echo grub=entries
  root=; [ "$(id -u)" = 0 ] || root="sudo -n"
  args=$($root grubby --info=ALL 2>/dev/null </dev/null | sed -n 's/^args="\\(.*\\)"[[:space:]]*$/entry=\\1/p')
  if [ -n "$args" ]; then echo "$args"; exit 0; fi
fi
for file in /boot/loader/entries/*.conf /boot/efi/loader/entries/*.conf /efi/loader/entries/*.conf; do
  [ -r "$file" ] && sed -n 's/^options[[:space:]]*/entry=/p' "$file"
done
exit 0`;

/** Pure: parses the output of BOOT_SCRIPT. */
export function parseBootEntries(output: string): BootEntries {
  const lines = output.split("\n");
  return {
    entries: lines.filter((line) => line.startsWith("entry=")).map((line) => line.slice("entry=".length)),
    hasGrubEntries: lines.includes("grub=entries"),
    hasGrubby: lines.includes("grubby=yes"),
    ignoresGrubFolder: lines.includes("folder=ignored"),
  };
}
