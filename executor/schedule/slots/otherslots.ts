import type { Pool } from "./pool.js";
import { isUsable, listSharers, type SlotState } from "./slotstate.js";
import { fitsPin } from "./usablecount.js";

/** Whether another usable slot could run a chunk with that pin. */
export function hasOtherSlot(pool: Pool, slot: SlotState, pin: number | undefined): boolean {
  return hasUsableExcept(pool, pin, [slot]);
}

/** Whether a usable slot could run a chunk with that pin, other than those on the GPUs of `slots` (keys). */
export function hasSlotOutside(pool: Pool, slots: readonly string[], pin: number | undefined): boolean {
  const except = slots.flatMap((key) => findSlot(pool, key) ?? []).flatMap((slot) => [slot, ...listSharers(slot)]);
  return hasUsableExcept(pool, pin, [...new Set(except)]);
}

/** Returns the key that stands for a slot (a key) and all others that share its GPU. */
export function hardwareOf(pool: Pool, key: string): string {
  const slot = findSlot(pool, key);
  return (slot && listSharers(slot)[0]?.key) ?? key;
}

/** Whether a usable slot outside `nodes` could run a chunk with that pin. */
export function hasNodeOutside(pool: Pool, nodes: Set<string>, pin: number | undefined): boolean {
  return hasUsableExcept(
    pool,
    pin,
    [...nodes].flatMap((node) => pool.nodes.get(node)?.slots ?? []),
  );
}

function hasUsableExcept(pool: Pool, pin: number | undefined, except: readonly SlotState[]): boolean {
  return pool.countUsable(pin) > except.filter((slot) => isUsable(slot) && fitsPin(pin, slot)).length;
}

function findSlot(pool: Pool, key: string): SlotState | undefined {
  const at = key.lastIndexOf("/");
  return pool.slot(key.slice(0, at), Number(key.slice(at + 1)));
}
