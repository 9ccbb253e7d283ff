import type { WantedUnit } from "../../fleet/nodestate.js";
import type { CommandState, Difference } from "../engine/resource.js";

/** What systemd says of a unit. Times are seconds of the node's monotonic clock. */
export interface UnitState {
  /** Why systemd does not answer. */
  problem?: string;
  /** `loaded`, `not-found`, `masked`, `bad-setting` and so on. */
  load: string;
  /** `active`, `inactive`, `activating`, `failed` and so on. */
  active: string;
  sub: string;
  /** `enabled`, `disabled`, `static`, `masked` and so on; empty where there is no unit file. */
  file: string;
  /** Whether a unit file has changed since systemd read it. */
  needsReload: boolean;
  /** When it became active; 0 = never. */
  startedAt: number;
  /** When the files that it is restarted for changed last; those that are missing are left out. */
  changedAt: ReadonlyMap<string, number>;
  now: number;
}

/** Pure: reads what templates/unit_state.py prints. */
export function parseUnitState({ stdout, stderr, error }: CommandState): UnitState {
  const answer = parseLastLine(stdout);
  const unit = toRecord(answer.unit);
  const text = (key: string) => (typeof unit[key] === "string" ? (unit[key] as string) : "");
  const problem =
    answer.unit === undefined ? (error ?? (stderr.trim().split("\n").at(-1) || "no answer")) : text("problem");
  return {
    problem: problem === "" ? undefined : problem,
    load: text("LoadState"),
    active: text("ActiveState"),
    sub: text("SubState"),
    file: text("UnitFileState"),
    needsReload: text("NeedDaemonReload") === "yes",
    startedAt: (Number(text("ActiveEnterTimestampMonotonic")) || 0) / 1e6,
    changedAt: new Map(
      Object.entries(toRecord(answer.changed)).flatMap(([path, at]) =>
        typeof at === "number" ? [[path, at] as const] : [],
      ),
    ),
    now: Number(answer.now) || 0,
  };
}

function parseLastLine(stdout: string): Record<string, unknown> {
  try {
    return toRecord(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
  } catch {
    return {};
  }
}

function toRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** What systemctl is to do with a unit. */
export type UnitAction = "unmask" | "mask" | "enable" | "disable" | "start" | "stop" | "restart";

/** One difference of a unit; without an action nothing can be done about it. */
export interface UnitDifference extends Difference {
  action?: UnitAction;
}

/** Pure: lists how a unit differs, in the order in which it is mended. `name`: for messages. */
export function diffUnit(name: string, want: WantedUnit, have: UnitState): UnitDifference[] {
  if (have.problem !== undefined) return [{ what: name, have: have.problem, want: describeWanted(want) }];
  const isMasked = have.file.startsWith("masked") || have.load === "masked";
  const isMissing = have.load === "not-found" && !isMasked;
  if (isMissing && want.unit === undefined && want.masked !== true)
    return isAbsenceWanted(want) ? [] : [{ what: name, have: "no such unit", want: describeWanted(want) }];
  if (isMissing && want.unit !== undefined) return listActions(want).map((one) => ({ what: name, ...one }));
  return [
    ...diffMask(name, want, isMasked),
    ...diffEnabled(name, want, have, isMasked),
    ...diffRunning(name, want, have, isMasked),
  ];
}

/** Of a unit whose file is still to be written. */
function listActions({ enabled, running }: WantedUnit): Omit<UnitDifference, "what">[] {
  return [
    ...(enabled === true ? [{ have: "no such unit", want: "enabled", action: "enable" } as const] : []),
    ...(running === true ? [{ have: "no such unit", want: "running", action: "start" } as const] : []),
  ];
}

/** A unit that must neither run nor be enabled may be missing. */
function isAbsenceWanted({ enabled, running, masked }: WantedUnit): boolean {
  return enabled !== true && running !== true && masked !== true;
}

function diffMask(name: string, { masked }: WantedUnit, isMasked: boolean): UnitDifference[] {
  if (masked === undefined || masked === isMasked) return [];
  const [have, want] = isMasked ? ["masked", "not masked"] : ["not masked", "masked"];
  return [{ what: name, have, want, action: masked ? "mask" : "unmask" }];
}

function diffEnabled(
  name: string,
  { enabled, masked }: WantedUnit,
  have: UnitState,
  isMasked: boolean,
): UnitDifference[] {
  if (enabled === undefined || (isMasked && masked === true)) return [];
  const isEnabled = ["enabled", "enabled-runtime", "alias"].includes(have.file);
  if (isEnabled === enabled) return [];
  const found = have.file === "" ? "no unit file" : have.file;
  if (!enabled) return have.file === "disabled" || isMasked ? [] : diffAlwaysOn(name, found, isEnabled);
  const canBeEnabled = ["disabled", "linked", "linked-runtime", "masked", "masked-runtime"].includes(have.file);
  const reason = canBeEnabled ? found : `${found}, so it cannot be enabled`;
  return [{ what: name, have: reason, want: "enabled", ...(canBeEnabled ? { action: "enable" } : {}) }];
}

/** Static and generated units start when something needs them: they count as not enabled. */
function diffAlwaysOn(name: string, found: string, isEnabled: boolean): UnitDifference[] {
  return isEnabled ? [{ what: name, have: found, want: "disabled", action: "disable" }] : [];
}

function diffRunning(name: string, want: WantedUnit, have: UnitState, isMasked: boolean): UnitDifference[] {
  const isRunning = have.active === "active" || have.active === "reloading";
  const found = describeActivity(have);
  if (want.running === true && !isRunning) return [{ what: name, have: found, want: "running", action: "start" }];
  if (want.running === false && have.active !== "inactive" && have.active !== "failed")
    return [{ what: name, have: found, want: "stopped", action: "stop" }];
  if (!isRunning || isMasked) return [];
  const newer = [...have.changedAt].filter(([, at]) => at > have.startedAt).map(([path]) => path);
  if (newer.length === 0) return [];
  return [{ what: name, have: `started before ${newer.join(", ")} changed`, want: "restarted", action: "restart" }];
}

function describeActivity({ active, sub }: UnitState): string {
  if (sub === "auto-restart") return "restarting again and again";
  return sub === "" || sub === active || sub === "dead" ? active : `${active} (${sub})`;
}

function describeWanted({ enabled, running, masked }: WantedUnit): string {
  const words = [
    ...(masked === undefined ? [] : [masked ? "masked" : "not masked"]),
    ...(enabled === undefined ? [] : [enabled ? "enabled" : "disabled"]),
    ...(running === undefined ? [] : [running ? "running" : "stopped"]),
  ];
  return words.join(", ") || "a unit";
}
