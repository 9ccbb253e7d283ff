import t from "tap";
import type { CommandResult } from "../../../fleet/connection.js";
import { SlurmCommands } from "../../../fleet/slurm/slurmcommands.js";
import { SBATCH_ERRORS } from "../engines/slurmoutputs.js";
import { createCluster } from "./clusters.js";
import { FakeLogin } from "./fakelogin.js";

const NAMES = ["srun", "sbatch", "squeue", "scancel", "scontrol", "sinfo"];

/** What the search for the commands prints. A site may have an sbatch of its own. */
function found(version: string): string {
  const lines = NAMES.map((name) => `found ${name} /opt/${name === "sbatch" ? "site" : "slurm"}/bin/${name}\n`);
  return `${lines.join("")}${version}\n`;
}
const FOUND = found("slurm 22.05.8");

/** A login node that answers the search for commands with `look`, and others by their names. */
function createLogin(look: () => Partial<CommandResult>, answers: Record<string, () => Partial<CommandResult>> = {}) {
  return new FakeLogin(([path]) => (path === "/bin/sh" ? look() : (answers[path!.split("/").at(-1)!]?.() ?? {})));
}

t.test("commands are found once, and run from their folder", async (t) => {
  const login = createLogin(() => ({ stdout: `Welcome!\n${FOUND}` }), { squeue: () => ({ stdout: "out" }) });
  const commands = new SlurmCommands(createCluster());
  t.equal(await commands.run(login, "squeue", ["--me"], "", 9), "out");
  await commands.run(login, "scancel", ["7"], "", 9);
  t.strictSame(
    login.commands.map(([path, ...words]) => (path === "/bin/sh" ? "find" : [path, ...words])),
    ["find", ["/opt/slurm/bin/squeue", "--me"], ["/opt/slurm/bin/scancel", "7"]],
  );
});

t.test("a search that fails is made again", async (t) => {
  let isLost = true;
  const login = createLogin(() => (isLost ? { kind: "lost", reason: "reset" } : { stdout: FOUND }));
  const commands = new SlurmCommands(createCluster());
  await t.rejects(commands.find(login, "srun"), { code: "LOST", node: "hpc" });
  isLost = false;
  t.equal(await commands.find(login, "sbatch"), "/opt/site/bin/sbatch");
});

t.test("there is no Slurm", async (t) => {
  const login = createLogin(() => ({ code: 127, stderr: "sbatch: command not found\n" }));
  await t.rejects(new SlurmCommands(createCluster()).find(login, "srun"), {
    code: "MISSING",
    node: "hpc",
    message: "look for Slurm: sbatch: command not found",
  });
});

t.test("there is no srun for users", async (t) => {
  const login = createLogin(() => ({ stdout: FOUND.replace(/found srun .*\n/, "") }));
  const commands = new SlurmCommands(createCluster());
  t.equal(await commands.find(login, "sbatch"), "/opt/site/bin/sbatch");
  await t.rejects(commands.findStepCommand(login), { code: "MISSING", message: "srun: command not found" });
});

t.test("versions", async (t) => {
  const table: [version: string, isUsable: boolean][] = [
    ["slurm 20.11.0", true],
    ["slurm-wlm 22.05.8", true],
    ["slurm 23.02.7", true],
    ["something else", true],
    ["slurm 20.02.6", false],
    ["slurm-wlm 19.05.5", false],
  ];
  for (const [version, isUsable] of table) {
    const login = createLogin(() => ({ stdout: found(version) }));
    const commands = new SlurmCommands(createCluster());
    t.equal(await commands.find(login, "squeue"), "/opt/slurm/bin/squeue", version);
    const path = commands.findStepCommand(login);
    if (isUsable) t.equal(await path, "/opt/slurm/bin/srun", version);
    else await t.rejects(path, { code: "CONFIG", message: /--overlap since 20\.11/ }, version);
  }
});

t.test("a command that fails says why", async (t) => {
  const login = createLogin(() => ({ stdout: FOUND }), {
    sbatch: () => ({ code: 1, stderr: SBATCH_ERRORS.partition }),
  });
  await t.rejects(new SlurmCommands(createCluster()).run(login, "sbatch", [], "script", 9), {
    code: "SLURM",
    message: /Invalid partition name specified/,
  });
});

t.test("how long Slurm waits before it kills", async (t) => {
  const table: [config: string, seconds: number][] = [
    ["KillOnBadExit           = 0\nKillWait                = 20 sec\nLaunchParameters        = (null)\n", 20],
    ["KillWait                = 0 sec\n", 5],
    ["nothing of it", 30],
  ];
  for (const [stdout, seconds] of table) {
    const login = createLogin(() => ({ stdout: FOUND }), { scontrol: () => ({ stdout }) });
    t.equal(await new SlurmCommands(createCluster()).killSeconds(login), seconds, stdout);
  }
  let isLost = true;
  const login = createLogin(() => ({ stdout: FOUND }), {
    scontrol: () => (isLost ? { kind: "lost", reason: "reset" } : { stdout: "KillWait = 60 sec" }),
  });
  const commands = new SlurmCommands(createCluster());
  t.equal(await commands.killSeconds(login), 30);
  isLost = false;
  t.equal(await commands.killSeconds(login), 60, "it is asked again");
  await commands.killSeconds(login);
  t.equal(login.commands.filter(([path]) => path!.endsWith("scontrol")).length, 2, "then it is known");
});
