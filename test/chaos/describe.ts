import { type Fault, faultText } from "./fault.js";
import type { JobPlan } from "./jobplan.js";
import type { Plan } from "./plan.js";

/** A plan in one line. */
export function summarizePlan({ slots, work, faults }: Plan): string {
  const jobs = work.jobs.map(jobText).join(" + ");
  const what = work.shape === "job" ? jobs : `${work.shape} of ${jobs}`;
  return `${what} on ${slots.join("+")} slots: ${faults.map(faultText).join(", ") || "no fault"}`;
}

/** A plan in full. */
export function describePlan(plan: Plan): string {
  const { seed, patience, leaseSeconds, faults, work } = plan;
  const moment = ({ share, delayMs }: Fault) => `at ${Math.round(share * 100)} % + ${delayMs} ms`;
  return [
    `seed ${seed}: ${summarizePlan(plan)}`,
    patience === undefined ? "" : `silence ${patience.silenceSeconds} s, grace ${patience.graceSeconds} s`,
    leaseSeconds === undefined ? "" : `lease ${leaseSeconds} s`,
    ...faults.map((fault) => `  ${moment(fault)}: ${faultText(fault)}`),
    JSON.stringify(work, null, 2),
  ]
    .filter((line) => line !== "")
    .join("\n");
}

function jobText({ kind, items, collect, recheck, misdeed }: JobPlan): string {
  const more = [
    collect === "lines" ? " as lines" : "",
    recheck === undefined ? "" : `, recheck ${recheck} %`,
    misdeed === undefined ? "" : `, a chunk ${misdeed.what} ${misdeed.times}`,
  ];
  return `${kind} of ${items}${more.join("")}`;
}
