import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { runMuster, TestFolder } from "../cli/startmuster.js";
import { startLab } from "../lab/lab.js";
import { lacking } from "../lab/requirements.js";

const skip = lacking("files of nodes");

t.test("stale files are reported and left alone, and deleted only where that is asked for", { skip }, async (t) => {
  const shop = new TestFolder();
  const lab = await startLab({ nodes: 1 });
  t.teardown(async () => {
    shop.remove();
    await lab.stop();
  });
  shop.write("manifests/full.json", { chunk_size: 1000 });
  const files = { "~/agent_manifests/": `${shop.folder}/manifests/` };
  const plain = lab.inventory({ top: { files } });
  const asked = lab.inventory({ file: "asked.yaml", top: { files, delete_stale: ["~/agent_manifests/"] } });
  const folder = join(lab.nodes[0]!.root, "root/agent_manifests");
  mkdirSync(join(folder, "old/deeper"), { recursive: true });
  for (const name of ["-rf", "a b; $(touch x)", "old/deeper/y"]) writeFileSync(join(folder, name), "old");
  writeFileSync(join(folder, "../kept"), "");

  const lines = Array.from({ length: 50_000 }, (_, n) => `line ${n}\n`);
  shop.write("big.txt", lines.join(""));
  writeFileSync(join(folder, "../big.txt"), lines.join("").replace("line 700\n", "line x\n"));
  const withBig = lab.inventory({
    file: "big.yaml",
    top: { files: { ...files, "~/big.txt": `${shop.folder}/big.txt` } },
  });
  const drift = await runMuster(["verify", "files", "-i", withBig, "--diff"]);
  t.match(
    drift,
    { code: 2, out: /--- full\.json\thave\n.*\n.*@@ -0,0 .*@@\n.*\+\{\n.*\+ {2}"chunk_size": 1000\n/ },
    "a new file",
  );
  t.match(drift.out, /\n *-line x\n *\+line 700\n/, "a file of more than 256 KiB");

  const repaired = await runMuster(["provision", "files", "-i", plain, "--json"]);
  t.equal(repaired.code, 0, repaired.out + repaired.err);
  t.match(repaired.out, /stale, not in the source, left alone/);
  t.same(readdirSync(folder).sort(), ["-rf", "a b; $(touch x)", "full.json", "old"]);

  const found = await runMuster(["verify", "files", "-i", asked, "--json"]);
  t.equal(found.code, 2, found.err);
  t.equal(readdirSync(folder).length, 4, "verify deletes nothing");
  const deleted = await runMuster(["provision", "files", "-i", asked]);
  t.equal(deleted.code, 0, deleted.out + deleted.err);
  t.same(readdirSync(folder), ["full.json"]);
  t.ok(existsSync(join(folder, "../kept")));
  t.notOk(existsSync(join(folder, "../x")));
  t.equal((await runMuster(["verify", "files", "-i", asked])).code, 0);
});
