/**
 * Measures how long muster and an Ansible playbook take to bring a freshly installed node into the same state, and to find nothing to
 * change. See bench/README.md.
 *     npm run bench:baretoworking [-- ROUNDS]
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addressOf, asRoot } from "../test/cli/bootstrapmachine.js";
import { lackingForRig, RIG, RigProject } from "../test/cli/rigproject/rigproject.js";
import { type Lab, type LabNode, startLab } from "../test/lab/lab.js";
import { projectRoot } from "../test/lab/project.js";
import { closePlay, formatConfig, installAnsible, runPlay } from "./ansible.js";
import { runTimed, type TimedRun } from "./timedrun.js";

const QUIET_PASSES = 3;
const LIMIT_SECONDS = 300;

const rounds = Number(process.argv[2] ?? 3);
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 20) {
  console.error("usage: npm run bench:baretoworking [-- ROUNDS]   (1 to 20; default 3)");
  process.exit(64);
}

/** Seconds of the passes over one installation. */
const PASSES = ["first pass", "pass after a reboot", "pass that changes nothing", "check that finds nothing"] as const;
type Seconds = Record<(typeof PASSES)[number], number[]>;

interface Contestant {
  name: string;
  /** What its user writes for this state. */
  files: string[];
  seconds: Seconds;
  apply(): Promise<TimedRun>;
  check(): Promise<TimedRun>;
  hasFailed(ran: TimedRun): boolean;
  hasChangedNothing(ran: TimedRun): boolean;
  hasFoundNothing(checked: TimedRun): boolean;
  /** Called before the node is turned off. */
  close(): void;
}

async function main(): Promise<void> {
  const lacking = lackingForRig();
  if (lacking !== false) throw new Error(lacking);
  installAnsible();
  execFileSync(join(projectRoot(), "build"), { stdio: "inherit" });
  const lab = await startLab(RIG);
  const project = new RigProject();
  try {
    await project.create();
    const [node] = lab.nodes as [LabNode];
    const contestants = [createMuster(project), createAnsible(project, lab, node)];
    for (const { name, files } of contestants) console.log(`${name.padEnd(8)} ${countLines(files)} lines written`);
    for (let round = 0; round < rounds; round++)
      for (const one of round % 2 === 0 ? contestants : contestants.toReversed()) await contest(one, project, node);
    const [ours, theirs] = contestants.map(({ seconds }) => seconds) as [Seconds, Seconds];
    for (const pass of PASSES) {
      const [a, b] = [median(ours[pass]), median(theirs[pass])];
      console.log(
        `${pass.padEnd(26)} muster ${a.toFixed(2)} s   ansible ${b.toFixed(2)} s   ${(b / a).toFixed(1)} times as fast`,
      );
    }
  } finally {
    project.remove();
    await lab.stop();
  }
}

/** Installs the node, makes it reachable, and lets a contestant do all passes. */
async function contest(one: Contestant, project: RigProject, node: LabNode): Promise<void> {
  await project.install(node, project.bootKey);
  await asRoot(node, "echo 'rig ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/asks");
  writeFileSync(join(project.folder, "known"), "");
  const bootstrapped = await muster(project, ["bootstrap", addressOf(node), "--key", "boot", "--accept-new", "--yes"]);
  if (bootstrapped.code !== 2) throw describe("bootstrap", bootstrapped);
  const measure = async (pass: keyof Seconds, run: () => Promise<TimedRun>, isRight: (ran: TimedRun) => boolean) => {
    const ran = await run();
    if (!isRight(ran)) throw describe(`${one.name}: ${pass}`, ran);
    one.seconds[pass].push(ran.seconds);
  };
  const works = (ran: TimedRun) => !one.hasFailed(ran);
  await measure("first pass", one.apply, works);
  one.close();
  await node.powerCycle();
  await measure("pass after a reboot", one.apply, works);
  const wrong = await RigProject.look(node);
  if (wrong.length > 0) throw new Error(`${one.name} has not reached the state:\n${wrong.join("\n")}`);
  for (let n = 0; n < QUIET_PASSES; n++) {
    await measure("pass that changes nothing", one.apply, one.hasChangedNothing);
    await measure("check that finds nothing", one.check, one.hasFoundNothing);
  }
  await checkSeesDrift(one, node);
  one.close();
}

/** Checks that a contestant finds a service that was stopped. */
async function checkSeesDrift(one: Contestant, node: LabNode): Promise<void> {
  await asRoot(node, "systemctl stop progress");
  const ran = await one.check();
  if (one.hasFoundNothing(ran)) throw describe(`${one.name} did not see that the service was stopped`, ran);
}

function createMuster(project: RigProject): Contestant {
  return {
    name: "muster",
    files: [project.text],
    seconds: noSeconds(),
    apply: () => muster(project, ["provision"]),
    check: () => muster(project, ["verify", "--diff"]),
    // 3: a kernel parameter needs a reboot.
    hasFailed: ({ code, stdout }) =>
      code !== 0 && (code !== 3 || !/needs reboot/.test(stdout) || / failed/.test(stdout)),
    hasChangedNothing: ({ code, stdout }) => code === 0 && !/ changed/.test(stdout),
    hasFoundNothing: ({ code }) => code === 0,
    close: () => {},
  };
}

function createAnsible(project: RigProject, lab: Lab, node: LabNode): Contestant {
  const [hosts, play] = ["hosts.yml", "play.yml"].map((name) =>
    readFileSync(join(projectRoot(), "bench/baretoworking", name), "utf8"),
  );
  const text = project.fillIn(hosts!).replace("@HOST@", node.host).replace('"@PORT@"', `${node.port}`);
  project.write("hosts.yml", text);
  project.write("play.yml", play);
  const identityFile = project.key;
  const knownHosts = join(project.folder, "known");
  project.write("ansible.cfg", formatConfig({ identityFile, knownHosts, controlFolder: lab.folder }));
  const changes = ({ stdout }: TimedRun) => Number(/ changed=(\d+) +unreachable=0 +failed=0 /.exec(stdout)?.[1] ?? NaN);
  return {
    name: "ansible",
    files: [text, play!],
    seconds: noSeconds(),
    apply: () => runPlay(lab.folder, project.folder, []),
    check: () => runPlay(lab.folder, project.folder, ["--check", "--diff"]),
    hasFailed: (ran) => ran.code !== 0 || Number.isNaN(changes(ran)),
    hasChangedNothing: (ran) => ran.code === 0 && changes(ran) === 0,
    // With --check, its module pip says of every requirements file that it would change something.
    hasFoundNothing: (ran) => ran.code === 0 && changes(ran) === 1,
    close: () => closePlay(lab.folder, [node]),
  };
}

function muster(project: RigProject, words: string[]): Promise<TimedRun> {
  return runTimed([join(projectRoot(), "muster"), ...words], {
    cwd: project.folder,
    limit: LIMIT_SECONDS,
    env: project.env,
  });
}

function noSeconds(): Seconds {
  return Object.fromEntries(PASSES.map((pass) => [pass, []])) as unknown as Seconds;
}

/** Lines that are neither empty nor comments. */
function countLines(files: readonly string[]): number {
  return files.flatMap((text) => text.split("\n")).filter((line) => /^\s*[^\s#]/.test(line)).length;
}

function median(seconds: number[]): number {
  return seconds.toSorted((a, b) => a - b)[seconds.length >> 1]!;
}

function describe(what: string, { code, stdout, stderr }: TimedRun): Error {
  return new Error(`${what}: exit ${code}\n${stdout.slice(-4000)}\n${stderr}`);
}

await main();
