import type { Cluster } from "../../../fleet/slurm/cluster.js";
import type { Pilot } from "./pilot.js";

/** How long a pilot lives that starts while no coordinator is there: UNOPENED_LEASE_SECONDS of the agent. */
const UNOPENED_LEASE = "2 min";

/** Returns lines about the pilots of an interrupted run that stay: those that run, and those that wait. */
export function describeStaying({ name, pilot }: Cluster, pilots: Iterable<Pilot>): string[] {
  const staying = [...pilots].filter(({ isReleased, id }) => !isReleased && id !== undefined);
  const running = staying.filter(({ state }) => state === "starting" || state === "working");
  const waiting = staying.filter((one) => !running.includes(one));
  const minutes = Math.round(pilot.leaseSeconds / 60);
  return [
    ...(running.length === 0
      ? []
      : [
          `${name}: ${nameThem(running)} can be taken over by the same command within ${minutes} min; muster cancel ends what is left`,
        ]),
    ...(waiting.length === 0
      ? []
      : [
          `${name}: ${nameThem(waiting)} may stay in the queue, for the same command; one that starts while no muster is there ends after ${UNOPENED_LEASE}; muster cancel takes them out`,
        ]),
  ];
}

function nameThem(pilots: readonly Pilot[]): string {
  return `${pilots.length === 1 ? "pilot" : "pilots"} ${pilots.map(({ id }) => id).join(", ")}`;
}
