import type { ShownAttempt } from "../../report/whytext.js";
import { createBusySlot, secondsAgo } from "./liverunsample.js";
import { failure } from "./samples.js";

const progress = { expectedSeconds: 400, progress: 0.5, progressAt: secondsAgo(390), text: "epoch 3" };

/** A chunk that waits after an attempt failed, and one that runs. */
export const explanation = {
  run: "sieve",
  chunk: "c1",
  attempts: [
    { chunk: "c1", attempt: 1, node: "rig", slot: 0, gpu: 0, state: "failed", reason: "no luck", lines: ["a line"] },
    {
      chunk: "c1",
      attempt: 2,
      node: "hera",
      slot: 1,
      state: "running",
      lines: [],
      live: createBusySlot("rig", 2, 400, progress).running,
    },
  ] as ShownAttempt[],
  failure,
  slots: [
    { node: "hera", slot: 1, rate: 5, runs: "c1", reasons: [] },
    { node: "rig", slot: 0, runs: "c2", reasons: ["it runs another chunk", "it is out of use"] },
    { node: "zeus", reasons: ["it has no GPU"] },
  ],
  pilots: [{ cluster: "hpc", id: "7", state: "pending" as const, reason: "Priority" }],
  jobError: "its job has changed",
};
