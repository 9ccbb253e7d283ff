import { existsSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { cgroupOfNode, findOrphanedCgroups, removeOrphanedCgroups } from "./labcgroups.js";
import { lackingSystemd } from "./requirements.js";

t.test(
  "cgroups of labs whose folder is gone are removed, those of others stay",
  { skip: lackingSystemd() },
  async (t) => {
    const folder = join(t.testdir(), "a@b%2F lab");
    mkdirSync(folder);
    const [gone, kept] = [cgroupOfNode(join(tmpdir(), "no-such-lab@x"), "node1"), cgroupOfNode(folder, "node1")];
    for (const path of [join(gone, "init.scope"), kept]) mkdirSync(path, { recursive: true });
    t.teardown(() => existsSync(kept) && removeOrphanedCgroups());
    t.match(findOrphanedCgroups(), [gone]);
    t.notOk(findOrphanedCgroups().includes(kept));
    removeOrphanedCgroups();
    t.same([existsSync(gone), existsSync(kept)], [false, true]);
    rmSync(folder, { recursive: true });
    removeOrphanedCgroups();
    t.notOk(existsSync(kept));
  },
);
