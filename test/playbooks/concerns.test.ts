import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";
import { pciAddress } from "../lab/fakegpus.js";
import { type Lab, type LabNode, lacking, startLab } from "../lab/lab.js";
import { listStates, runVerb, type VerbResult } from "./runverb.js";

const skip = lacking("a disk of its own");

/** Differences of one resource as `what: have`. */
function found(answer: VerbResult, resource: string): string[] {
  const one = answer.nodes[0]?.resources.find((row) => row.resource === resource);
  return (one?.differences ?? []).map(({ what, have }) => `${what}: ${have}`);
}

const SCRIPT =
  "#!/bin/bash\n# manual runs\nexport CHUNK_SIZE='1000'   # survivors\npython3 x.py --chunk \"$CHUNK_SIZE\"\n";
const JSON_FILE = '{\r\n  // automated runs\r\n  "default_params": {"chunk_size": 1000, "seeds": [1]},\r\n}\r\n';
const YAML_FILE = "training: &t\n- chunk_size:   1000    # kept\n";
const INI_FILE = "[scoring]\nchunk = 1000 ; kept";
const FILES = { "run it's.sh": SCRIPT, "full.json": JSON_FILE, "train.yaml": YAML_FILE, "old.ini": INI_FILE };

const MANIFESTS = {
  chunk_size: {
    value: 1000,
    in: [
      { file: "~/run it's.sh", assignment: "CHUNK_SIZE" },
      { file: "~/train.yaml", yaml: "/training/0/chunk_size" },
      { file: "~/old.ini", regex: "^chunk = (\\d+)" },
      { file: "~/full.json", pointer: "/default_params/chunk_size" },
    ],
  },
};

t.test("the shell assignment works on a real node", { skip }, async (t) => {
  const lab: Lab = await startLab({ nodes: 1, gpus: 4 });
  t.teardown(() => lab.stop());
  const node = lab.nodes[0] as LabNode;
  const put = (path: string, text: string, mode = 0o644) => {
    mkdirSync(dirname(join(node.root, path)), { recursive: true });
    writeFileSync(join(node.root, path), text, { mode });
  };
  const read = (path: string) => readFileSync(join(node.root, path), "utf8");
  const inventory = lab.inventory({
    node: { python_modules: ["json", "no_such_module"], pci: [0, 1, 2, 3].map(pciAddress) },
    top: { manifests: MANIFESTS, playbooks: ["manifest-sync", "kernel-params", "python", "gpu", "session"] },
  });
  for (const [name, text] of Object.entries(FILES)) put(`root/${name}`, text);

  await t.test("a correct node has no drift", async (t) => {
    const answer = await runVerb(inventory, ["verify", "manifest-sync", "kernel-params", "gpu", "session"]);
    t.equal(answer.code, 0, answer.err);
    const all = ["manifest chunk_size", "boot parameters", "kernel parameters", "gpus", "session"];
    t.same(listStates(answer), Object.fromEntries(all.map((name) => [name, "ok"])));
  });

  await t.test("one value is kept in sync in four files", async (t) => {
    const tampered: [keyof typeof FILES, string, string][] = [
      ["run it's.sh", SCRIPT.replace("'1000'", "'500'"), "~/run it's.sh:3 CHUNK_SIZE: 500"],
      ["full.json", JSON_FILE.replace("1000", "2000"), "~/full.json:3 /default_params/chunk_size: 2000"],
      ["train.yaml", YAML_FILE.replace("1000", "500 "), "~/train.yaml:2 /training/0/chunk_size: 500"],
      ["old.ini", INI_FILE.replace("1000", "1"), "~/old.ini:2 /^chunk = (\\d+)/: 1"],
    ];
    for (const [name, text, difference] of tampered) {
      put(`root/${name}`, text);
      const answer = await runVerb(inventory, ["verify", "manifest-sync"]);
      t.equal(answer.code, 2);
      const [sideBySide, one, ...more] = found(answer, "manifest chunk_size");
      t.match(sideBySide, /^chunk_size disagrees with itself: .* \| .* \(wins at run time\)/);
      t.same([one, ...more], [difference]);
      t.same(listStates(await runVerb(inventory, ["provision", "manifest-sync"])), {
        "manifest chunk_size": "changed",
      });
      const repaired = name === "train.yaml" ? FILES[name].replace("1000", "1000 ") : FILES[name];
      t.equal(read(`root/${name}`), repaired, "all else is as it was");
      t.same(listStates(await runVerb(inventory, ["provision", "manifest-sync"])), { "manifest chunk_size": "ok" });
    }
    put("root/full.json", "{");
    const failed = await runVerb(inventory, ["provision", "manifest-sync"]);
    t.equal(failed.code, 3);
    t.match(failed.nodes[0]?.resources[0]?.reason, /full\.json .*is not JSON/);
    t.equal(read("root/full.json"), "{");
    put("root/full.json", JSON_FILE);
  });

  await t.test("kernel parameters are staged, and take effect after a reboot", async (t) => {
    const update = "#!/bin/sh\nmkdir -p /boot/grub\n. /etc/default/grub.d/zzz-muster.cfg\n";
    put(
      "usr/sbin/update-grub",
      `${update}echo " linux /vmlinuz $GRUB_CMDLINE_LINUX_DEFAULT" >/boot/grub/grub.cfg\n`,
      0o755,
    );
    put("etc/default/grub.d/00-rig.cfg", "GRUB_TIMEOUT=0\n");
    put("sys/module/amdgpu/parameters/ppfeaturemask", "4294967295\n");
    const drift = await runVerb(inventory, ["verify", "kernel-params"]);
    t.equal(drift.code, 2);
    t.same(listStates(drift), { "boot parameters": "drift", "kernel parameters": "drift" });
    t.same(found(drift, "kernel parameters"), ["amdgpu.ppfeaturemask: 4294967295"]);
    const staged = await runVerb(inventory, ["provision", "kernel-params"]);
    t.same(listStates(staged), { "boot parameters": "changed", "kernel parameters": "needs reboot" });
    t.match(read("boot/grub/grub.cfg"), /amdgpu\.ppfeaturemask=0xffff7fff/);
    const again = await runVerb(inventory, ["provision", "kernel-params"]);
    t.same(listStates(again), { "boot parameters": "ok", "kernel parameters": "needs reboot" });
    put("sys/module/amdgpu/parameters/ppfeaturemask", "4294934527\n");
    t.equal((await runVerb(inventory, ["verify", "kernel-params"])).code, 0);
  });

  await t.test("GPUs that are missing, sick, or make their tool hang are reported", async (t) => {
    node.setGpus({ sick: [2] });
    const sick = await runVerb(inventory, ["verify", "gpu"]);
    t.same(found(sick, "gpus"), [`GPU ${pciAddress(2)}: sclk N/A, mclk N/A, perf unknown`]);
    t.match(sick.nodes[0]?.resources[0]?.notes.at(-1), /reduce sample_size/);
    node.setGpus({ sick: [], count: 3 });
    t.same(found(await runVerb(inventory, ["verify", "gpu"]), "gpus"), [
      `GPU ${pciAddress(3)}: on the PCI bus, but rocm-smi does not show it`,
    ]);
    node.setGpus({ count: 4, tools: "hang" });
    t.same(found(await runVerb(inventory, ["verify", "gpu"]), "gpus"), ["rocm-smi: no answer within 10 s; killed"]);
    t.same(await node.quiet(20), [], "nothing of it continues");
    node.setGpus({ tools: undefined });
    t.equal((await runVerb(inventory, ["verify", "gpu"])).code, 0);
  });

  await t.test("a missing Python module is reported", async (t) => {
    const [missing, ...others] = found(await runVerb(inventory, ["verify", "python"]), "python");
    t.match(missing, /^module no_such_module: not installed for/);
    t.same(others, []);
  });
});

t.test("a logout that would end processes is reported", { skip }, async (t) => {
  const lab: Lab = await startLab({ nodes: 1, gpus: 0, user: "rig", sshd: { MaxSessions: 3 } });
  t.teardown(() => lab.stop());
  const node = lab.nodes[0] as LabNode;
  const logind = (text: string) =>
    writeFileSync(join(node.root, "usr/local/bin/loginctl"), `#!/bin/sh\ncat <<'END'\n${text}\nEND\n`, { mode: 0o755 });
  writeFileSync(join(lab.folder, "history.json"), "{}");
  const inventory = lab.inventory({ top: { ramdisk: { "/dev/shm/prng": ["history.json"] }, playbooks: ["session"] } });
  const whats = async () => found(await runVerb(inventory, ["verify"]), "session").map((one) => one.split(":")[0]);
  logind("KillUserProcesses=yes\nRemoveIPC=yes\nLinger=no");
  t.same(await whats(), ["KillUserProcesses", "RemoveIPC", "MaxSessions"]);
  logind("KillUserProcesses=no\nRemoveIPC=yes\nLinger=yes");
  t.same(await whats(), ["MaxSessions"]);
});
