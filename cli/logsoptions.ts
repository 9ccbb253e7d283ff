import type { CommonOptions } from "./options.js";

/** The options of `muster logs`. */
export interface LogsOptions extends CommonOptions {
  out?: boolean;
  err?: boolean;
  /** The number of an attempt. */
  try?: string;
  failed?: boolean;
}
