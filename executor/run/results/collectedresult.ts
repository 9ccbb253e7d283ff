import type { Attempt } from "../../schedule/events.js";
import type { ResultLine } from "../record/resultlines.js";
import type { VerifiedOutput } from "./publish.js";

/** A result that was pulled and verified, and is not committed yet. */
export interface CollectedResult {
  attempt: Attempt;
  seconds: number;
  /** When its program ended, as far as the coordinator knows: seconds since the session began. */
  ended: number;
  outputs: VerifiedOutput[];
  /** The GPUs that its program was bound to. */
  gpus: ResultLine["gpus"];
  cards: ResultLine["cards"];
  usage: ResultLine["usage"];
  /** The intermediate values that its program has reported; undefined = none. */
  values: ResultLine["values"];
  /** The fingerprint of the state that its node was verified to be in. */
  fingerprint: string | undefined;
  /** Whether the chunk was stopped on request: its outputs are those that it had by then. */
  isStopped: boolean;
  /** The text of the first output, if that is JSON; see parseOutput. */
  json: string | undefined;
}
