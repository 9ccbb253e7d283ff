import type { Connection } from "../../fleet/connection.js";
import type { Facts } from "../../fleet/facts.js";

/**
 * Verifies that a node is in the state that the job's playbooks describe, before the node gets a chunk. Resolves with a fingerprint
 * of that state, which every result's record names. Rejects with DRIFT (a MusterError) that names what differs.
 * `provision`: bring the node into that state first, as after a reboot.
 */
export type VerifyNode = (connection: Connection, facts: Facts, provision: boolean) => Promise<string>;
