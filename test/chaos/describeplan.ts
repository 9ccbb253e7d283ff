import type { ChaosPlan } from "./chaosplan.js";
import { type Fault, faultText } from "./faultkinds.js";
import type { JobPlan } from "./jobplan.js";

/** A plan in one line. */
export function summarizePlan({ slots, work, faults }: ChaosPlan): string {
  const jobs = work.jobs.map(jobText).join(" + ");
  const what = work.shape === "job" ? jobs : `${work.shape} of ${jobs}`;
  return `${what} on ${slots.join("+")} slots: ${faults.map(faultText).join(", ") || "no fault"}`;
}

/** A plan in full. */
export function describePlan(plan: ChaosPlan): string {
  const { seed, timeouts, leaseSeconds, faults, work } = plan;
  const moment = ({ share, delayMs }: Fault) => `at ${Math.round(share * 100)} % + ${delayMs} ms`;
  return [
    `seed ${seed}: ${summarizePlan(plan)}`,
    timeouts === undefined ? "" : `silence ${timeouts.silenceSeconds} s, grace ${timeouts.graceSeconds} s`,
    leaseSeconds === undefined ? "" : `lease ${leaseSeconds} s`,
    ...faults.map((fault) => `  ${moment(fault)}: ${faultText(fault)}`),
    JSON.stringify(work, null, 2),
  ]
    .filter((line) => line !== "")
    .join("\n");
}

function jobText({ kind, items, batches, isWarm, collect, recheck, chunkFault }: JobPlan): string {
  const more = [
    kind === "queue" ? ` in ${batches} batches` : "",
    isWarm ? " by warm workers" : "",
    collect === "lines" ? " as lines" : "",
    recheck === undefined ? "" : `, recheck ${recheck} %`,
    chunkFault === undefined ? "" : `, a chunk ${chunkFault.what} ${chunkFault.times}`,
  ];
  return `${kind} of ${items}${more.join("")}`;
}
