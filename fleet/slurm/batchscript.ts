import type { NodeProgram } from "../../templates/nodeprograms.js";
import { quote } from "../quote.js";
import { type Cluster, warningSeconds } from "./cluster.js";

/**
 * The exit codes of a batch script that could not start the agent. From FIRST_SETUP_EXIT on: the line of `setup` that failed; from
 * FIRST_MODULE_EXIT on: the module. Slurm tells them for some minutes (scontrol show job), and the job's comment, which holds what was
 * printed; there is no other way to learn why, because the script has no output file.
 */
const PYTHON_EXIT = 82;
/** Of the agent: EX_CANTCREAT and EX_NOPERM (templates/muster_agent/attach.py). */
const AGENT_EXITS = [73, 77];
const FIRST_SETUP_EXIT = 100;
const MAX_SETUP_EXIT = 199;
const FIRST_MODULE_EXIT = 200;
const MAX_MODULE_EXIT = 249;

/** How much of what modules and `setup` print is kept. */
const PRINTED_BYTES = 900;
/** A comment that Slurm keeps with the job: base64, so that it is one word. */
const COMMENT = "muster:";
/** What a program says of its failure, among advice and progress. */
const COMPLAINT = /error|fail|unknown|unable|cannot|can't|denied|not found|no such|invalid|missing/i;
const MAX_PRINTED_CHARS = 200;

/**
 * Bash that keeps the end of what is printed from here on, in a process and not in a file, until `muster_fail` stores it as the job's
 * comment. A process that `setup` leaves in the background can go on printing.
 */
const KEEP_PRINTED = `coproc muster { exec tail -c ${PRINTED_BYTES} 2>/dev/null; }
exec {muster_kept}<&"\${muster[0]}" {muster_pipe}>&"\${muster[1]}"
eval "exec \${muster[1]}>&-"
muster_stop() { exec >/dev/null 2>&1 {muster_pipe}>&-; IFS= read -r -t 2 -d '' -u "$muster_kept" muster_printed; }
muster_fail() {
  muster_stop
  timeout 20 scontrol update JobId="$SLURM_JOB_ID" Comment="${COMMENT}$(printf %s "$muster_printed" | base64 -w 0)"
  exit "$1"
}
exec >&"$muster_pipe" 2>&1`;
const DROP_PRINTED = "muster_stop; exec {muster_kept}<&-";

/** Base64 in lines of this many characters: a here-document with one long line is slow in some shells. */
const LINE_CHARS = 4096;
const END_MARK = "END_OF_AGENT";
const LOADER = "import base64, sys, zlib; exec(zlib.decompress(base64.b64decode(sys.stdin.buffer.read())))";

/**
 * Returns the batch script of a pilot: it loads modules, runs `setup`, and becomes the agent of the run. `agent`: the packed program, as
 * `agentProgram` sends it. `killSeconds`: from SIGTERM to SIGKILL of a job that is cancelled. It stores nothing: the agent comes with the
 * script, and Slurm keeps that only while the job exists.
 */
export function createBatchScript(cluster: Cluster, run: string, agent: NodeProgram, killSeconds: number): string {
  const { modules, setup, pilot, name, request } = cluster;
  const python = quote(pilot.python);
  const workdir = formatShellPath(pilot.workdir);
  const root = `${workdir}/runs/${quote(`${run}@${name}-`)}"$SLURM_JOB_ID"`;
  const own = ownsWorkdir(pilot.workdir) ? workdir : '""';
  const times = [request.timeSeconds, warningSeconds(request), killSeconds];
  const isPrepared = modules.length + setup.length > 0;
  const encoded = agent.stdin.toString("base64").match(new RegExp(`.{1,${LINE_CHARS}}`, "g")) ?? [];
  return [
    // A login shell, because the command `module` is defined there.
    "#!/bin/bash -l",
    ...(isPrepared ? [KEEP_PRINTED] : []),
    ...modules.map((one, index) => `module load ${quote(one)} || muster_fail ${moduleExit(index)}`),
    ...setup.flatMap((line, index) => [line, `[ $? = 0 ] || muster_fail ${setupExit(index)}`]),
    ...(isPrepared ? [DROP_PRINTED] : []),
    `command -v ${python} >/dev/null || exit ${PYTHON_EXIT}`,
    `exec ${python} -IS -c ${quote(LOADER)} serve ${root} ${own} ${times.join(" ")} <<'${END_MARK}'`,
    ...encoded,
    END_MARK,
    "",
  ].join("\n");
}

/**
 * Explains the exit code of a pilot's batch script; undefined = it is not one of them. `comment`: of its job, which may hold what was
 * printed.
 */
export function explainExit(cluster: Cluster, code: number, id: string, comment = ""): string | undefined {
  const { modules, setup, pilot } = cluster;
  if (code === PYTHON_EXIT) return `there is no ${pilot.python} on the compute node`;
  if (AGENT_EXITS.includes(code))
    return `the agent could not use its folder ${pilot.workdir.replaceAll("%j", id)} there`;
  const printed = findComplaint(comment);
  const module = modules.findIndex((_, index) => moduleExit(index) === code);
  if (module >= 0) return `the module ${modules[module]} cannot be loaded there${printed}`;
  const line = setup.findIndex((_, index) => setupExit(index) === code);
  if (line >= 0) return `setup failed there: ${setup[line]}${printed}`;
  return setup.length === 0 ? undefined : `a line of setup exited ${code} there`;
}

function setupExit(index: number): number {
  return Math.min(FIRST_SETUP_EXIT + index, MAX_SETUP_EXIT);
}

function moduleExit(index: number): number {
  return Math.min(FIRST_MODULE_EXIT + index, MAX_MODULE_EXIT);
}

/** Returns the line of what was printed that says most of the failure, as it follows its description: " (No such file)"; "" = none. */
function findComplaint(comment: string): string {
  if (!comment.startsWith(COMMENT)) return "";
  const text = Buffer.from(comment.slice(COMMENT.length), "base64").toString();
  const lines = text.split(/[\r\n]+/).map((line) =>
    line
      .replace(/\p{C}/gu, " ")
      .replace(/^\S*slurm_script: line \d+: /, "")
      .trim(),
  );
  const line = lines.findLast((one) => COMPLAINT.test(one)) ?? lines.findLast((one) => one !== "");
  return line === undefined ? "" : ` (${line.slice(0, MAX_PRINTED_CHARS)})`;
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
