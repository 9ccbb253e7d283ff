#!/bin/bash
# First process of a lab node: builds the node's own machine from the coordinator's root and stays as its init.
# Runs in fresh mount, uts, ipc and pid namespaces. Takes:
#   NODE_DISK  folder on a tmpfs: upper/ work/ (the disk, kept over power cycles) and root/ (where it is mounted)
#   NODE_NAME  host name          NODE_BOOT_ID  this boot's id          NODE_HIDE  folders to cover, one a line
#   NODE_KERNEL  lines `module/parameter value`                         NODE_CARDS  lines `pci-address vendor device bytes`
#   NODE_SHARED_HOME  the /home/rig of all nodes; empty: each has its own
#   NODE_CGROUP  a cgroup of its own, for a node whose init is systemd; empty: its init is this script
set -euo pipefail

if [[ -n ${NODE_CGROUP-} && -z ${NODE_HAS_CGROUP-} ]]; then
  mkdir -p "$NODE_CGROUP"
  echo 0 >"$NODE_CGROUP/cgroup.procs"
  NODE_HAS_CGROUP=yes exec unshare --cgroup -- bash "${BASH_SOURCE[0]}"
fi

# /proc is still the coordinator's, so this is the pid by which others know this process.
read -r pid _ </proc/self/stat

root=$NODE_DISK/root
mkdir -p "$NODE_DISK"/{upper,work,root,home}

is_new=
if [[ ! -d $NODE_DISK/upper/var/tmp ]]; then
  is_new=yes
  # The coordinator's /var/tmp has lock files of its own runs, which come and go.
  mkdir -p -m 1777 "$NODE_DISK/upper/var/tmp"
  python3 -ISc 'import os, sys; os.setxattr(sys.argv[1], "trusted.overlay.opaque", b"y")' "$NODE_DISK/upper/var/tmp"
fi
mount -t overlay overlay -o "lowerdir=/,upperdir=$NODE_DISK/upper,workdir=$NODE_DISK/work" "$root"
# Where the coordinator has tools for GPUs, they would speak of its own cards.
[[ -n $is_new ]] && rm -f "$root"/usr/bin/{amd-smi,nvidia-smi,rocm-smi}

covered() { mount -t tmpfs -o "mode=$2" tmpfs "$root$1"; }

hide_folders() {
  while IFS= read -r folder; do
    [[ -n $folder && -d $root$folder ]] || continue
    mount -t tmpfs -o ro,size=4k tmpfs "$root$folder"
  done <<<"$NODE_HIDE"
}

mount_proc() {
  mount -t proc proc "$root/proc"
  echo "$NODE_BOOT_ID" >"$NODE_DISK/boot_id"
  mount --bind "$NODE_DISK/boot_id" "$root/proc/sys/kernel/random/boot_id"
  echo "BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 ro $(command_line)" >"$NODE_DISK/cmdline"
  mount --bind "$NODE_DISK/cmdline" "$root/proc/cmdline"
}

mount_dev() {
  covered /dev 755
  mknod -m 666 "$root/dev/null" c 1 3
  mknod -m 666 "$root/dev/zero" c 1 5
  mknod -m 666 "$root/dev/full" c 1 7
  mknod -m 666 "$root/dev/random" c 1 8
  mknod -m 666 "$root/dev/urandom" c 1 9
  mknod -m 666 "$root/dev/tty" c 5 0
  ln -s /proc/self/fd "$root/dev/fd"
  ln -s fd/0 "$root/dev/stdin"
  ln -s fd/1 "$root/dev/stdout"
  ln -s fd/2 "$root/dev/stderr"
  mkdir "$root/dev/pts" "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  covered /dev/shm 1777
}

# `module.parameter=value` words that the disk asks the boot loader for, as Debian's GRUB reads them (update-grub implied).
command_line() {
  local file
  for file in "$root/etc/default/grub" "$root"/etc/default/grub.d/*.cfg; do
    [[ -f $file ]] && sed -nE 's/^GRUB_CMDLINE_LINUX(_DEFAULT)?=["'\'']?([^"'\'']*).*/\2/p' "$file"
  done | tr '\n' ' '
}

# The value that a parameter has after this boot: the command line, else modprobe.d, else what the test gave.
booted() { # module/parameter, value
  local module=${1%/*} parameter=${1##*/} value=$2 word
  for word in $(sed -nE "s/^options +$module +(.*)/\1/p" "$root"/etc/modprobe.d/*.conf 2>/dev/null); do
    [[ $word == "$parameter="* ]] && value=${word#*=}
  done
  for word in $(command_line); do
    [[ $word == "$module.$parameter="* ]] && value=${word#*=}
  done
  echo "$value"
}

# A /sys with the real processors and cgroups, and only the modules and cards that the test asked for.
mount_sys() {
  covered /sys 755
  local part
  for part in block devices/system fs kernel; do
    [[ -d /sys/$part ]] || continue
    if [[ $part == fs && -n ${NODE_CGROUP-} ]]; then
      mkdir -p "$root/sys/fs/cgroup"
      mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
      continue
    fi
    mkdir -p "$root/sys/$part"
    mount --rbind "/sys/$part" "$root/sys/$part"
  done
  mkdir -p "$root"/sys/{module,class/drm,bus/pci/devices}
  while read -r parameter value; do
    [[ -n $parameter ]] || continue
    mkdir -p "$root/sys/module/${parameter%/*}/parameters"
    booted "$parameter" "$value" >"$root/sys/module/${parameter%/*}/parameters/${parameter##*/}"
  done <<<"$NODE_KERNEL"
  local number=0
  while read -r address vendor device bytes; do
    [[ -n $address ]] || continue
    local card=$root/sys/devices/pci0000:00/$address
    mkdir -p "$card/drm/card$number"
    echo "$vendor" >"$card/vendor"
    echo "$device" >"$card/device"
    echo 0x030000 >"$card/class"
    printf 'PCI_CLASS=30000\nPCI_ID=%s:%s\nPCI_SLOT_NAME=%s\n' "${vendor#0x}" "${device#0x}" "$address" >"$card/uevent"
    local module=amdgpu
    [[ $vendor == 0x10de ]] && module=nvidia
    mkdir -p "$root/sys/bus/pci/drivers/$module"
    ln -sfn "../../../../module/$module" "$root/sys/bus/pci/drivers/$module/module"
    ln -s "../../../bus/pci/drivers/$module" "$card/driver"
    [[ $bytes == 0 ]] || echo "$bytes" >"$card/mem_info_vram_total"
    ln -s "../../../$address" "$card/drm/card$number/device"
    ln -s "../../devices/pci0000:00/$address/drm/card$number" "$root/sys/class/drm/card$number"
    ln -s "../../../devices/pci0000:00/$address" "$root/sys/bus/pci/devices/$address"
    number=$((number + 1))
  done <<<"$NODE_CARDS"
}

# Units of systemd for a node: sshd, and nothing that would change the kernel that it shares with others.
write_units() {
  local units=$root/etc/systemd/system unit
  [[ -e $units/muster-lab-sshd.service ]] && return
  mkdir -p "$NODE_DISK/units/basic.target.wants"
  for unit in systemd-{udevd,udev-trigger,modules-load,sysctl,binfmt,remount-fs,random-seed}.service modprobe@.service \
    systemd-udevd-{control,kernel}.socket systemd-journald-audit.socket \
    {sys-kernel-{debug,tracing,config},sys-fs-fuse-connections,dev-hugepages}.mount proc-sys-fs-binfmt_misc.automount; do
    ln -s /dev/null "$NODE_DISK/units/$unit"
  done
  printf '[Service]\nExecStart=/usr/sbin/sshd -D -e -f /etc/ssh/sshd_config\nRestart=always\nRestartSec=50ms\nKillMode=process\n' \
    >"$NODE_DISK/units/muster-lab-sshd.service"
  ln -s ../muster-lab-sshd.service "$NODE_DISK/units/basic.target.wants/"
  echo "$NODE_NAME" >"$root/etc/hostname"
  rm -rf "$units"
  cp -a "$NODE_DISK/units" "$units"
}

hide_folders
mount_proc
mount_dev
mount_sys
covered /run 755
mkdir -p "$root/run/sshd" "$root/run/lock" "$root/run/user"
covered /tmp 1777
mount --bind "$NODE_DISK/home" "$root/root"
[[ -n ${NODE_SHARED_HOME-} ]] && mount --bind "$NODE_SHARED_HOME" "$root/home/rig"
[[ -n ${NODE_CGROUP-} ]] && write_units
hostname "$NODE_NAME"

cd "$root"
mkdir -p .outside
pivot_root . .outside
cd /
umount -l /.outside
rmdir /.outside

echo "up $pid"
exec </dev/null >/var/log/sshd.log 2>&1

if [[ -n ${NODE_CGROUP-} ]]; then
  exec env -i container=muster-lab PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=basic.target
fi

# Init: sshd stands up again whenever it is stopped; bash reaps whatever is orphaned.
exec 9<> <(:)
while :; do
  env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /usr/sbin/sshd -D -e -f /etc/ssh/sshd_config 9<&- &
  wait $! || true
  read -rt 0.05 -u 9 || true # a pause without a process of its own
done
