import { rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";

const { skip, shop, lab, inventory } = await shareLab(t, { nodes: 2, gpus: 2, vendor: "amd" }, "nodes that drift");

const job = (name: string, count: number, seconds: number) => ({
  name,
  kind: "matrix",
  matrix: { n: [0, count] },
  command: ["sleep", `${seconds}`],
  args: [],
  needs: { playbooks: ["rocm-env"] },
});

t.test("a node that has drifted gets no work, and the reason is printed", { skip }, async (t) => {
  const file = shop.write("a/job.yaml", job("gate", 12, 0.01));
  const none = await runMuster(["run", file, "-i", inventory]);
  t.equal(none.code, 69, none.err);
  t.match(none.out, /node1: 0 chunks \(refused: drift: file /);
  const [first] = lab.nodes;
  t.equal((await runMuster(["provision", "rocm-env", "-i", inventory, "--limit", first!.name])).code, 0);
  const some = await runMuster(["run", file, "-i", inventory]);
  t.equal(some.code, 0, some.err);
  const lines = shop.results("a/runs/gate");
  t.equal(lines.length, 12);
  t.ok(
    lines.every((line) => line.node === first!.name),
    "only the one that passes",
  );
  t.match(lines[0]!.state, /^[0-9a-f]{64}$/, "the state that was verified is in the record");
});

t.test(
  "--provision provisions nodes first; a node that reboots during a run is provisioned before its next chunk",
  { skip },
  async (t) => {
    const file = shop.write("b/job.yaml", job("mend", 40, 0.2));
    const running = startMuster(["run", file, "-i", inventory, "--provision", "--json"]);
    const end = waitForExit(running);
    const [, second] = lab.nodes;
    await waitUntil("chunks run there", () => second!.processes().some((one) => one.argv[0] === "sleep"));
    await second!.powerOff();
    rmSync(join(second!.root, "etc/profile.d"), { recursive: true, force: true });
    await second!.powerOn();
    const ran = await end;
    t.equal(ran.code, 0, ran.err);
    t.equal(shop.results("b/runs/mend").length, 40);
    t.equal((await runMuster(["verify", "rocm-env", "-i", inventory])).code, 0);
  },
);
