import t from "tap";
import { formatEntry, isSameEntry, parseMountEntries, setEntry } from "../../../playbooks/mounts/fstab.js";

const WANT = { device: "UUID=1", type: "ext4", options: ["noatime", "nofail"], check: 2 };
const LINE = "UUID=1 /data ext4 noatime,nofail 0 2\n";

t.test("an entry is replaced or appended, and other lines are kept", async (t) => {
  const table: [before: string, after: string][] = [
    ["", LINE],
    ["# comment", `# comment\n${LINE}`],
    [`a / ext4\n${LINE}`, `a / ext4\n${LINE}`],
    ["/dev/x\t/data\txfs  defaults 0 0\nb /b ext4\n", `${LINE}b /b ext4\n`],
    ["x /data xfs\n#y /data xfs\nz /data nfs\n", `#y /data xfs\n${LINE}`],
  ];
  for (const [before, after] of table) t.equal(setEntry(before, "/data", WANT), after, JSON.stringify(before));
});

t.test("entries are read as they are written", async (t) => {
  const folder = "/a b\\c\td";
  const line = formatEntry(folder, { device: "tmpfs", type: "tmpfs" });
  t.equal(line, "tmpfs /a\\040b\\134c\\011d tmpfs defaults 0 0");
  const [entry] = parseMountEntries(line);
  t.match(entry, { folder, device: "tmpfs", options: ["defaults"], check: 0 });
  t.ok(isSameEntry(entry!, { device: "tmpfs", type: "tmpfs" }));
  t.notOk(isSameEntry(entry!, { device: "tmpfs", type: "tmpfs", check: 1 }));
  t.same(parseMountEntries("# a b c\n\nincomplete\n"), []);
});
