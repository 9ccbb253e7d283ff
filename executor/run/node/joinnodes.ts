import type { NodeWorker } from "./nodeworker.js";

/**
 * Has all nodes join. Resolves when each has joined or failed to. Calls `onAnswered` when each has, or is being prepared, which may take
 * minutes.
 */
export async function joinNodes(workers: readonly NodeWorker[], onAnswered: () => void): Promise<void> {
  const joining = workers.map((worker) => {
    const joined = worker.join();
    return { joined, answered: Promise.race([worker.preparation.begun, joined]) };
  });
  void Promise.all(joining.map(({ answered }) => answered)).then(onAnswered);
  await Promise.all(joining.map(({ joined }) => joined));
}
