import t from "tap";
import type { WantedMount } from "../../../fleet/nodestate.js";
import { diffMount, parseMountState } from "../../../playbooks/mounts/mountstate.js";

const EXT4: WantedMount = { device: "UUID=1", type: "ext4", options: ["noatime"] };
const MOUNTED = "wanted /dev/sdb1\nmount /dev/sdb1 /data ext4 rw,noatime,errors=remount-ro 0 0\ndevice /dev/sdb1\n";
const NFS: WantedMount = { device: "nas:/x", type: "nfs" };

t.test("what is mounted is compared by device, type and options", async (t) => {
  const table: [want: WantedMount, answer: string, difference: string | undefined][] = [
    [EXT4, MOUNTED, undefined],
    [EXT4, "wanted /dev/sdb1\n", "not mounted: mount"],
    [EXT4, "wanted /dev/sdb1\nplace folder\n", "not mounted: mount"],
    [EXT4, "wanted /dev/sdb1\nplace other\n", "no folder: refused"],
    [EXT4, MOUNTED.replace("wanted /dev/sdb1", "wanted "), "no device has UUID=1: refused"],
    [EXT4, MOUNTED.replace("wanted /dev/sdb1", "wanted /dev/sdc1"), "ext4 of /dev/sdb1: refused"],
    [EXT4, MOUNTED.replace("ext4", "xfs"), "xfs of /dev/sdb1: refused"],
    [EXT4, MOUNTED.replace("noatime,", ""), "mounted without noatime: remount"],
    [EXT4, MOUNTED.replace("rw,", "ro,"), "mounted read-only: remount"],
    [{ ...EXT4, type: "auto" }, MOUNTED, undefined],
    [NFS, "wanted nas:/x\nmount nas:/x /x nfs4 rw 0 0\ndevice nas:/x\n", undefined],
    [NFS, "wanted nas:/x\nmount nas:/y /x nfs4 rw 0 0\ndevice nas:/y\n", "nfs4 of nas:/y: refused"],
    [
      { device: "/srv", type: "none", options: ["bind"] },
      "wanted /srv\nmount /dev/sda1 /x ext4 rw 0 0\ndevice /dev/sda1\n",
      undefined,
    ],
    [{ device: "tmpfs", type: "tmpfs" }, "wanted tmpfs\nmount none /x tmpfs rw 0 0\ndevice none\n", undefined],
  ];
  for (const [want, answer, difference] of table) {
    const found = diffMount(want, parseMountState(answer));
    const how = found && (found.refusal === undefined ? found.change : "refused");
    t.equal(found && `${found.have}: ${how}`, difference, answer);
  }
});
