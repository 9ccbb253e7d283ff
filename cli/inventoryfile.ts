import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { MusterError, UsageError } from "../schemas/errors.js";
import { describeSystemError } from "../schemas/systemerror.js";

/** Returns the inventory that nodes are added to: the one that is named, or found here, or a new one here. Throws UsageError for `local`. */
export function chooseInventoryFile(option: string | undefined, env: Record<string, string | undefined>): string {
  if (option === "local")
    throw new UsageError(
      "bootstrap: `-i local` is no file, so no node can be added to it",
      "Name a file, or leave out -i.",
    );
  const named = option ?? env.MUSTER_INVENTORY;
  if (named) return resolve(named);
  return ["inventory.yaml", "inventory.yml"].map((name) => resolve(name)).find(existsSync) ?? resolve("inventory.yaml");
}

/** Throws a MusterError (READ_ONLY) where an inventory cannot be written, before anything is done on a machine. */
export function requireWritable(file: string): void {
  try {
    const real = existsSync(file) ? realpathSync(file) : file;
    if (existsSync(real)) accessSync(real, constants.W_OK);
    accessSync(dirname(real), constants.W_OK);
  } catch (error) {
    throw explain(file, error, "READ_ONLY");
  }
}

/** Writes an inventory as a whole: who reads it meanwhile gets the old one or the new one. Keeps its mode and owner, and a link to it. */
export function replaceInventory(file: string, text: string): void {
  const real = existsSync(file) ? realpathSync(file) : file;
  const partial = join(dirname(real), `.${process.pid}.inventory.partial`);
  try {
    writeFileSync(partial, text, { flag: "wx" });
    const before = statSync(real, { throwIfNoEntry: false });
    if (before !== undefined) {
      chmodSync(partial, before.mode);
      const now = statSync(partial);
      if (before.uid !== now.uid || before.gid !== now.gid) chownSync(partial, before.uid, before.gid);
    }
    const fd = openSync(partial, "r");
    fsyncSync(fd);
    closeSync(fd);
    renameSync(partial, real);
  } catch (error) {
    rmSync(partial, { force: true });
    throw explain(file, error, "NOT_WRITTEN");
  }
}

function explain(file: string, error: unknown, code: "READ_ONLY" | "NOT_WRITTEN"): unknown {
  const refusal = describeSystemError(error);
  if (refusal === undefined) return error;
  const next = `${refusal.hint}; or name another inventory with -i FILE`;
  return new MusterError(code, `the inventory ${file} ${refusal.reason}`, { next });
}
