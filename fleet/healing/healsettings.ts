import type { Problem } from "../../schemas/errors.js";
import { parseDuration } from "../../schemas/quantity.js";
import type { KeyPath, Source } from "../../schemas/source.js";
import type { InventoryFile } from "../../schemas/types.js";
import { parseValue } from "../mergeprofile.js";
import { type NotificationTarget, readNotificationTarget, resolveHomePath } from "../notificationtarget.js";

/** Why a node that answers is healed. */
export type SickCause = "sick-gpu" | "missing-gpu";

/** How nodes are healed, as `heal` of the inventory says. */
export interface HealSettings {
  /** How long a node must be unwell before it is healed. */
  afterSeconds: number;
  /** For which causes a node that answers is healed. */
  reboot: readonly SickCause[];
  /** The most healings of a node within 24 hours. */
  mostPerDay: number;
  /** The shortest time between two healings of a node; it doubles with each within 24 hours. */
  pauseSeconds: number;
  /** How long to wait for a node to answer after it was rebooted or power-cycled. */
  waitSeconds: number;
  /** How many nodes may be healed at once. */
  atOnce: number;
  /** How long a `power_cycle` command may take. */
  commandSeconds: number;
  /** Absolute path of a file with variables of `power_cycle` commands. */
  envFile?: string;
  onHeal: NotificationTarget[];
}

const DEFAULT_AFTER_SECONDS = 600;
const DEFAULT_MOST_PER_DAY = 2;
const DEFAULT_PAUSE_SECONDS = 1800;
const DEFAULT_WAIT_SECONDS = 600;
const DEFAULT_COMMAND_SECONDS = 60;

/** Reads `heal` of an inventory in `folder`; undefined where it has none. Appends what is wrong to `problems`. */
export function readHealSettings(source: Source, folder: string, problems: Problem[]): HealSettings | undefined {
  const { heal: written } = source.value as InventoryFile;
  if (written === undefined) return undefined;
  const heal = written ?? {};
  const seconds = (key: "after" | "pause" | "wait" | "timeout") => parseValue(heal[key], parseDuration);
  return {
    afterSeconds: seconds("after") ?? DEFAULT_AFTER_SECONDS,
    reboot: heal.reboot ?? ["sick-gpu", "missing-gpu"],
    mostPerDay: heal.most === undefined ? DEFAULT_MOST_PER_DAY : Number.parseInt(heal.most, 10),
    pauseSeconds: seconds("pause") ?? DEFAULT_PAUSE_SECONDS,
    waitSeconds: seconds("wait") ?? DEFAULT_WAIT_SECONDS,
    atOnce: heal.at_once ?? 1,
    commandSeconds: seconds("timeout") ?? DEFAULT_COMMAND_SECONDS,
    envFile: heal.env_file === undefined ? undefined : resolveHomePath(folder, heal.env_file),
    onHeal: (heal.on_heal ?? []).flatMap((_, index) => readTarget(source, folder, index, problems) ?? []),
  };
}

type WrittenNotice = NonNullable<NonNullable<InventoryFile["heal"]>["on_heal"]>[number];

function readTarget(
  source: Source,
  folder: string,
  index: number,
  problems: Problem[],
): NotificationTarget | undefined {
  const path: KeyPath = ["heal", "on_heal", index];
  const { command, timeout, ...rest } = source.get(path) as WrittenNotice;
  const written = {
    ...rest,
    command: command?.map((_, word) => source.text([...path, "command", word])),
    timeoutSeconds: parseValue(timeout, parseDuration),
  };
  return readNotificationTarget(written, folder, (problem) =>
    problems.push({ ...source.positionOf(path), message: `heal.on_heal[${index}] ${problem}` }),
  );
}
