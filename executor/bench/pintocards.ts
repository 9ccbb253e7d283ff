import type { Chunk, Job } from "../job/job.js";
import type { BenchLoad } from "./benchload.js";

/** Returns a job in which each of these slots computes the same chunk `rounds` times. Its results stay in its run directory. */
export function pinToCards({ job, chunk }: BenchLoad, slots: readonly number[], rounds: number): Job {
  const chunks = Array.from({ length: rounds }, (_, round) =>
    slots.map((slot, index): Chunk => {
      const at = BigInt(round * slots.length + index);
      return { ...chunk, id: formatPinnedId(slot, round), gpu: slot, start: at, end: at + 1n };
    }),
  ).flat();
  const units = new Map(chunks.map(({ id, start, end }) => [id, [start, end] as [bigint, bigint]]));
  const { state: _, ...spec } = chunk.spec;
  return {
    ...job,
    name: "bench",
    // The results of each chunk lie in a folder of its own.
    kind: "matrix",
    first: 0n,
    units: BigInt(chunks.length),
    sizing: undefined,
    chunk: (start) => ({ ...chunks[Number(start)]!, spec }),
    unitsOf: (id) => units.get(id),
    needs: { vendor: job.needs.vendor, gpus: 1, gpuShare: 1, memory: job.needs.memory, playbooks: [] },
    gpuCounts: undefined,
    retry: { attempts: 1, backoff: 0 },
    halt: { alike: 0 },
    enough: undefined,
    recheck: undefined,
    ask: undefined,
    aggregate: undefined,
    appended: undefined,
    keepsState: undefined,
    results: undefined,
    collect: "files",
    priority: 0,
    identity: JSON.stringify({ bench: chunk.id, slots, rounds }),
    origin: undefined,
  };
}

function formatPinnedId(slot: number, round: number): string {
  return round === 0 ? `gpu-${slot}` : `gpu-${slot}-${round}`;
}

/** Returns the slot of a chunk of such a job. */
export function parsePinnedSlot(id: string): number {
  return Number(/^gpu-(\d+)/.exec(id)?.[1]);
}
