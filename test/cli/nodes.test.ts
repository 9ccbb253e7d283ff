import t from "tap";
import { startLab } from "../lab/lab.js";
import { lacking } from "../lab/requirements.js";
import { runMuster } from "./startmuster.js";

const skip = lacking();

t.test("`nodes -i local` shows this machine", async (t) => {
  const ran = await runMuster(["nodes", "-i", "local", "--json"]);
  t.equal(ran.code, 0, ran.err);
  t.match(JSON.parse(ran.out), { usable: 1, nodes: [{ usable: true, connection: "local", hostKey: null }] });
});

t.test("nodes over SSH: one usable, one with a changed host key, and none at all", { skip }, async (t) => {
  const lab = await startLab({ nodes: 2, gpus: 3, banner: 'Welcome to {"this": rig}\n' });
  t.teardown(() => lab.stop());
  await lab.nodes[1]!.rekey();
  const inventory = lab.inventory();
  const ran = await runMuster(["nodes", "-i", inventory]);
  t.equal(ran.code, 3, ran.err);
  t.match(ran.out, /\nnode1 +3 .*\n {4}3 x amd .*RX 6600.*: 0000:03:00\.0/);
  t.match(ran.out, /host key ok: ssh-ed25519 SHA256:/);
  t.match(ran.out, /\nnode2 +not usable\n[\s\S]*HOST KEY HAS CHANGED[\s\S]*next: /);
  for (const line of ran.out.split("\n")) t.ok(line.length <= 80, line);
  const none = await runMuster(["nodes", "-i", inventory, "--limit", "node2", "--json"]);
  t.equal(none.code, 69);
  t.match(JSON.parse(none.out), { usable: 0, nodes: [{ node: "node2", code: "HOST_KEY_CHANGED" }] });
  const named = await runMuster(["nodes", "node1", "-i", inventory, "--json"]);
  t.match(JSON.parse(named.out), { usable: 1, nodes: [{ node: "node1" }] });
  t.equal(JSON.parse(named.out).nodes.length, 1);
  const quiet = await runMuster(["nodes", "-i", inventory, "-q"]);
  t.equal(quiet.out, "");
  t.match(quiet.err, /^node2\n/);
});
