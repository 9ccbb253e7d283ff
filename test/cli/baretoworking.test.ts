import { spawnSync } from "node:child_process";
import t, { type Test } from "tap";
import { type LabNode, startLab } from "../lab/lab.js";
import { PowerSwitch } from "../lab/powerswitch.js";
import { listStates, runVerb } from "../playbooks/runverb.js";
import { addressOf, asRoot, PASSWORD } from "./bootstrapmachine.js";
import { lackingForRig, RIG, RigProject } from "./rigproject/rigproject.js";
import { runMuster } from "./startmuster.js";

const skip = lackingForRig();

const RESOURCES = [
  ...["package source tools", "packages", "group render", "group video", "git ~/project", "python env prng"],
  ...["lines of /etc/systemd/logind.conf", "unit systemd-logind.service", "unit progress.service"],
  ...["boot parameters", "kernel parameters", "ramdisk /dev/shm/prng"],
];

const allOf = (state: string) => Object.fromEntries(RESOURCES.map((resource) => [resource, state]));

t.test(
  "a bare machine becomes a working node, is wiped, and comes back by the same commands",
  { skip, timeout: 400_000 },
  async (t) => {
    const lab = await startLab(RIG);
    t.teardown(() => lab.stop());
    const [node] = lab.nodes as [LabNode];
    // A stand-in: a node asks for its reboot with a file. It then boots its systemd with the parameters of its boot loader's files.
    const power = new PowerSwitch(lab.nodes, lab.folder);
    t.teardown(() => power.stop());
    const project = new RigProject();
    t.teardown(() => project.remove());
    await project.create();
    const verb = (...words: string[]) => runVerb(project.inventory, words);

    /** What the owner of a machine types, from the first contact to the results of a job. */
    const bringUp = async (t: Test, run: string) => {
      const answers = [
        ["recorded? [y/N]", "y"],
        ["password of rig@", PASSWORD],
        ["Set this rule? [y/N]", "y"],
      ] as const;
      const made = await project.onTerminal(t, [addressOf(node)], answers);
      t.equal(made.code, 2, made.out);
      t.match(made.out, /next: muster provision --limit rig\s/);
      const provisioned = await verb("provision", "--reboot");
      t.equal(provisioned.code, 0, provisioned.err + provisioned.out);
      t.same(listStates(provisioned), allOf("changed"));
      const verified = await verb("verify");
      t.equal(verified.code, 0, verified.out);
      const ran = await runMuster(["run", "jobs/sum.yaml", "--out", run], { cwd: project.folder, env: project.env });
      t.equal(ran.code, 0, ran.err);
      for (const n of [0, 1, 2, 3]) t.equal(project.read(`${run}/results/sum-${n}.txt`), RigProject.result(n));
      t.same(await RigProject.look(node), [], "the node itself says the same");
    };

    await project.install(node);
    power.connect(node);
    await bringUp(t, "first");
    t.equal(power.cycles.length, 1, "it was rebooted for its kernel parameters");
    t.same(listStates(await verb("provision", "--reboot")), allOf("ok"), "a second provision changes nothing");
    t.equal(power.cycles.length, 1);
    const inventory = project.read("inventory.yaml");

    await project.install(node);
    power.connect(node);
    const names = ["muster-tools*", "muster-rig", "rig-*", "progress.service", "project", ".venvs"];
    const traces = `cd /; ls -A dev/shm; find etc usr/share home/rig ${names.map((name) => `-name '${name}'`).join(" -o ")}`;
    t.equal(await asRoot(node, traces), "", "nothing is left on it");
    const refused = await project.bootstrap(addressOf(node), "--yes", "--accept-new");
    t.equal(refused.code, 69, "it has another host key, which no option accepts");
    const next = /If the machine was reinstalled: (ssh-keygen -f \S+ -R '[^']+'), then .* muster bootstrap /;
    const forget = next.exec(refused.err)?.[1] ?? "false";
    t.equal(spawnSync("sh", ["-c", forget]).status, 0, refused.err);
    await bringUp(t, "second");
    t.equal(project.read("inventory.yaml"), inventory);
    t.equal(power.cycles.length, 2);
    t.same(listStates(await verb("provision", "--reboot")), allOf("ok"));
  },
);
