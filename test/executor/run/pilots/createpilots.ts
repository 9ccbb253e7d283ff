import type { Test } from "tap";
import { ClusterPilots, type PilotEvent } from "../../../../executor/run/pilots/clusterpilots.js";
import { PilotRecords } from "../../../../executor/run/pilots/pilotrecords.js";
import type { Journal } from "../../../../executor/run/record/journal.js";
import type { JournalEntry } from "../../../../executor/run/record/journalentry.js";
import { OpenPilots } from "../../../../executor/run/record/openpilots.js";
import { createCluster } from "../../../fleet/slurm/clusters.js";
import { FakeEngine, stopClock } from "./fakeengine.js";

/** A cluster with a fake engine, and with a clock that stands still. */
export function createPilots(t: Test, runIds = ["r1"]) {
  const clock = stopClock(t);
  const engine = new FakeEngine();
  const events: PilotEvent[] = [];
  const entries: JournalEntry[] = [];
  let flushed = 0;
  const journal = {
    add: (entry: JournalEntry) => entries.push(entry),
    flush: async () => {
      flushed = entries.length;
    },
  } as unknown as Journal<JournalEntry>;
  const pilots = new ClusterPilots(
    createCluster("pilots: 8, time: 1h"),
    engine,
    runIds,
    new PilotRecords(journal, "/i.yaml"),
    (event) => {
      events.push(event);
      // As PilotWatch does.
      if (event.type === "over" && event.hasFailed)
        pilots.recordFailure(event.pilot, event.end.reason ?? "Slurm does not say why", event.end.host);
    },
  );
  return {
    clock,
    engine,
    pilots,
    entries,
    flushed: () => flushed,
    open: () => {
      const open = new OpenPilots();
      for (const entry of entries) if (entry.e === "pilot") open.apply(entry);
      return [...open];
    },
    states: () => [...pilots.pilots.values()].map(({ id, state }) => [id, state]),
    /** What happened since the last call. */
    take: (type: PilotEvent["type"]) => events.splice(0).filter((event) => event.type === type),
    /** Lets time pass, and looks as often as is due. */
    async pass(seconds: number) {
      for (let passed = 0; passed < seconds; passed += 0.5) {
        clock.advance(0.5);
        await pilots.lookIfDue();
      }
    },
  };
}
