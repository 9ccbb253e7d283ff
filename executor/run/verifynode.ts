import type { Connection } from "../../fleet/connection.js";
import type { Facts } from "../../fleet/facts.js";

/**
 * Proves that a node is what the job's playbooks say, before it gets a chunk. Resolves with a fingerprint of the state that
 * was verified, which goes into every result's record; rejects with a MusterError (DRIFT) that names what differs.
 * `mend`: bring it into state first, as after a reboot.
 */
export type VerifyNode = (connection: Connection, facts: Facts, mend: boolean) => Promise<string>;
