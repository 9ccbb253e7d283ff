import type { NodeProgram } from "../../templates/nodeprograms.js";
import { quote } from "../quote.js";
import { type Cluster, warningSeconds } from "./cluster.js";

/**
 * The exit codes of a batch script that could not start the agent. From FIRST_SETUP_EXIT on: the line of `setup` that failed. Slurm tells
 * them for some minutes (scontrol show job); there is no other way to learn why, because the script has no output file.
 */
const MODULE_EXIT = 81;
const PYTHON_EXIT = 82;
/** Of the agent: EX_CANTCREAT and EX_NOPERM (templates/muster_agent/attach.py). */
const AGENT_EXITS = [73, 77];
const FIRST_SETUP_EXIT = 100;
const MAX_SETUP_EXIT = 199;

/** Base64 in lines of this many characters: a here-document with one long line is slow in some shells. */
const LINE_CHARS = 4096;
const END_MARK = "END_OF_AGENT";
const LOADER = "import base64, sys, zlib; exec(zlib.decompress(base64.b64decode(sys.stdin.buffer.read())))";

/**
 * Returns the batch script of a pilot: it loads modules, runs `setup`, and becomes the agent of the run. `agent`: the packed program, as
 * `agentProgram` sends it. `killSeconds`: from SIGTERM to SIGKILL of a job that is cancelled. It stores nothing: the agent comes with the script, and Slurm keeps that only while the job exists.
 */
export function createBatchScript(cluster: Cluster, run: string, agent: NodeProgram, killSeconds: number): string {
  const { modules, setup, pilot, name, request } = cluster;
  const python = quote(pilot.python);
  const workdir = formatShellPath(pilot.workdir);
  const root = `${workdir}/runs/${quote(`${run}@${name}-`)}"$SLURM_JOB_ID"`;
  const own = ownsWorkdir(pilot.workdir) ? workdir : '""';
  const times = [request.timeSeconds, warningSeconds(request), killSeconds];
  const encoded = agent.stdin.toString("base64").match(new RegExp(`.{1,${LINE_CHARS}}`, "g")) ?? [];
  return [
    // A login shell, because the command `module` is defined there.
    "#!/bin/bash -l",
    ...modules.map((one) => `module load ${quote(one)} || exit ${MODULE_EXIT}`),
    ...setup.flatMap((line, index) => [line, `[ $? = 0 ] || exit ${setupExit(index)}`]),
    `command -v ${python} >/dev/null || exit ${PYTHON_EXIT}`,
    `exec ${python} -IS -c ${quote(LOADER)} serve ${root} ${own} ${times.join(" ")} <<'${END_MARK}'`,
    ...encoded,
    END_MARK,
    "",
  ].join("\n");
}

/** Explains the exit code of a pilot's batch script; undefined = it is not one of them. */
export function explainExit({ modules, setup, pilot }: Cluster, code: number, id: string): string | undefined {
  if (code === MODULE_EXIT) return `a module cannot be loaded there: ${modules.join(", ")}`;
  if (code === PYTHON_EXIT) return `there is no ${pilot.python} on the compute node`;
  if (AGENT_EXITS.includes(code))
    return `the agent could not use its folder ${pilot.workdir.replaceAll("%j", id)} there`;
  const line = setup.findIndex((_, index) => setupExit(index) === code);
  if (line >= 0) return `setup failed there: ${setup[line]}`;
  return setup.length === 0 ? undefined : `a line of setup exited ${code} there`;
}

function setupExit(index: number): number {
  return Math.min(FIRST_SETUP_EXIT + index, MAX_SETUP_EXIT);
}

/** Whether the folder is the pilot's alone, so that it goes with the pilot. */
function ownsWorkdir(workdir: string): boolean {
  return workdir.includes("%j");
}

/** Formats a path for bash: `~` is the home folder, and `%j` the job id. */
function formatShellPath(path: string): string {
  const [home, rest] = path === "~" || path.startsWith("~/") ? ['"$HOME"', path.slice(1)] : ["", path];
  return home + rest.split("%j").map(quoteOrNothing).join('"$SLURM_JOB_ID"');
}

function quoteOrNothing(text: string): string {
  return text === "" ? "" : quote(text);
}
