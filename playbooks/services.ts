import { setTimeout as sleep } from "node:timers/promises";
import type { WantedUnit } from "../fleet/nodestate.js";
import { MusterError } from "../schemas/errors.js";
import { unitStateSource } from "../templates/nodeprograms.js";
import { diffFile } from "./engine/fileresource.js";
import { readLocalBytes } from "./engine/localsource.js";
import { needsRoot } from "./engine/needsroot.js";
import type { ChangeContext, CommandState, FileState, PlaybookContext, Resource } from "./engine/resource.js";
import { createSudoError, runAsRoot } from "./engine/sudo.js";
import { MAX_DIFF_BYTES } from "./engine/unifieddiff.js";
import { diffUnit, parseUnitState, type UnitAction } from "./services/unitstate.js";

const LOOK_TIMEOUT_SECONDS = 20;
const UNIT_FOLDER = "/etc/systemd/system";
const UNIT_MODE = 0o644;
/** A service that ends sooner has not really started. */
const STEADY_SECONDS = 2;
const STEADY_TRIES = 20;
const STEADY_PAUSE_MS = 500;
const LOG_LINES = 5;
/** Longer than the 90 s that systemd gives a unit to start. */
const SYSTEMCTL_SECONDS = 150;

/** Keeps units of systemd: `services` of the inventory. */
export default function* services({ node }: PlaybookContext): Generator<Resource> {
  for (const [name, want] of Object.entries(node.state.services))
    yield unitResource({ name, python: node.python, ...want }) as Resource;
}

/** A unit; without an ending in its name it is a service. `python`: the node's interpreter. */
export type WantedUnitResource = WantedUnit & { name: string; python?: string; after?: string[] };

/**
 * Returns a resource for a unit of systemd and its unit file. A unit that should run is restarted where a file of `restart_on`, or its unit
 * file, is newer than its start: so a restart that was missed is made up for. Throws a MusterError (SOURCE) for an unreadable unit file.
 */
export function unitResource(want: WantedUnitResource): Resource<[CommandState, FileState]> {
  const unit = /\.(service|socket|timer|target|mount|automount|path|slice|swap)$/.test(want.name)
    ? want.name
    : `${want.name}.service`;
  const file = `${UNIT_FOLDER}/${unit}`;
  const content = want.unit === undefined ? undefined : readLocalBytes(want.unit, `services.${want.name}.unit`);
  const watched = [...(content === undefined ? [] : [file]), ...(want.restart_on ?? [])];
  const argv = [want.python ?? "python3", "-c", unitStateSource(), unit, ...watched];
  const look = { ask: "command", argv, timeout: LOOK_TIMEOUT_SECONDS, become: watched.some(needsRoot) } as const;
  const diffContent = (have: FileState) =>
    content === undefined
      ? []
      : diffFile(have, { path: file, bytes: content, mode: UNIT_MODE }).map((one) => ({
          ...one,
          what: `${file}: ${one.what}`,
        }));
  return {
    name: `unit ${unit}`,
    probe: { ask: "all", of: [look, { ask: "file", path: file, cap: content === undefined ? 0 : MAX_DIFF_BYTES }] },
    diff: ([answer, have]) => [...diffContent(have), ...diffUnit(unit, want, parseUnitState(answer))],
    change: async ([, have], context) => {
      if (content !== undefined && diffContent(have).length > 0) {
        await context.place({ path: file, content, mode: UNIT_MODE, become: true });
        await systemctl(context, ["daemon-reload"]);
      }
      const ask = async () => parseUnitState(await context.ask<CommandState>(look));
      const state = await ask();
      if (state.needsReload) await systemctl(context, ["daemon-reload"]);
      for (const { action, what, have: found, want: wanted } of diffUnit(unit, want, state)) {
        if (action === undefined) throw new MusterError("REFUSED", `${what} cannot be ${wanted}: ${found}`);
        await perform(context, action, unit);
      }
      if (want.running === true) await waitUntilSteady(ask, () => tailLog(context, unit), unit);
    },
    after: want.after,
  };
}

async function perform(context: ChangeContext, action: UnitAction, unit: string): Promise<void> {
  const message = await trySystemctl(context, [action, "--", unit]);
  if (message === undefined) return;
  const isStart = action === "start" || action === "restart";
  throw createUnitError(`systemctl ${action} ${unit}: ${message}`, isStart ? await tailLog(context, unit) : []);
}

/** Waits until a unit has been active for a while. Rejects with a MusterError (COMMAND) that has its last log lines. */
async function waitUntilSteady(
  ask: () => Promise<ReturnType<typeof parseUnitState>>,
  readLog: () => Promise<string[]>,
  unit: string,
): Promise<void> {
  for (let tries = 0; tries < STEADY_TRIES; tries++) {
    const { active, startedAt, now } = await ask();
    if (active === "active" && now - startedAt >= STEADY_SECONDS) return;
    if (active === "failed") break;
    await sleep(STEADY_PAUSE_MS);
  }
  throw createUnitError(`${unit} does not stay up`, await readLog());
}

function createUnitError(message: string, log: string[]): MusterError {
  const tail = log.length === 0 ? "" : `; its log ends: ${log.join(" | ")}`;
  return new MusterError("COMMAND", message + tail, { next: "Run `systemctl status` and `journalctl -u` there." });
}

async function tailLog({ $ }: ChangeContext, unit: string): Promise<string[]> {
  const argv = runAsRoot(["journalctl", "-u", unit, "-n", `${LOG_LINES}`, "-o", "cat", "--no-pager", "-q"]);
  const { stdout } = await $({ nothrow: true })`${argv}`;
  return stdout
    .trim()
    .split("\n")
    .slice(-LOG_LINES)
    .filter((line) => line !== "");
}

async function systemctl(context: ChangeContext, words: string[]): Promise<void> {
  const message = await trySystemctl(context, words);
  if (message !== undefined) throw new MusterError("COMMAND", `systemctl ${words.join(" ")}: ${message}`);
}

/** Runs systemctl as root and returns why it failed. Rejects with a MusterError (SUDO) where it may not. */
async function trySystemctl({ $ }: ChangeContext, words: string[]): Promise<string | undefined> {
  const { exitCode, stderr } = await $({
    nothrow: true,
  })`${runAsRoot(["timeout", `${SYSTEMCTL_SECONDS}`, "systemctl", ...words])}`;
  if (exitCode === 0) return undefined;
  const lines = stderr.trim().split("\n");
  const last = lines.at(-1) ?? "";
  if (/^sudo: /.test(last)) throw createSudoError(last);
  return lines[0] || `exit ${exitCode}`;
}
