import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type MusterResult, runMuster, startMuster, TestFolder } from "../cli/startmuster.js";
import { watchMuster } from "../faults/knownjob.js";
import type { LabNode } from "../lab/lab.js";
import { Allowance } from "./allowance.js";
import type { ChaosPlan } from "./chaosplan.js";
import { committedProblems } from "./checkresults.js";
import { findStackTraces, MusterProcess, type ProcessExit } from "./musterprocess.js";
import { RunCopy } from "./runcopy.js";
import { RunDisk } from "./rundisk.js";
import type { Testbed } from "./testbed.js";
import { Workload } from "./workload.js";

/** The number of executions that the agent of a node may still begin after its coordinator has ended. */
const MAX_QUEUED_EXECUTIONS = 16;

/** The output of a muster process, kept to explain failures. */
export interface MusterRecord {
  label: string;
  exit: ProcessExit | undefined;
  ran: MusterResult;
}

/** One run under test: its files, run directories and nodes, the faults that were injected, and the problems found. */
export class Scenario {
  readonly problems: string[] = [];
  readonly records: MusterRecord[] = [];
  readonly original: RunCopy;
  readonly copies: RunCopy[];
  readonly allowance: Allowance;
  readonly disk: RunDisk | undefined;
  /** A backup of the run directory. */
  backup: string | undefined;
  /** Whether two run directories may compete for the same nodes. */
  hasConflict = false;
  private readonly ongoing = new Set<ProcessExit[]>();
  private readonly pendingUndos: Promise<void>[] = [];
  private closing: Promise<void> | undefined;
  private count = 0;

  private constructor(
    readonly plan: ChaosPlan,
    readonly shop: TestFolder,
    readonly nodes: LabNode[],
    readonly workload: Workload,
    private readonly nodeWords: string[],
  ) {
    this.original = new RunCopy(join(shop.folder, "run"), "run", workload);
    this.copies = [this.original];
    this.allowance = new Allowance(workload);
    if (plan.faults.some(({ kind }) => kind === "disk-full-here")) this.disk = RunDisk.mount(this.original.path);
  }

  /** Prepares a plan on a testbed without starting anything. */
  static async open(plan: ChaosPlan, testbed: Testbed): Promise<Scenario> {
    const shop = new TestFolder();
    const mark = `${plan.seed}`;
    const words = await testbed.prepare(plan, mark);
    return new Scenario(plan, shop, testbed.nodesOf(plan), new Workload(shop, mark, plan), words);
  }

  /** Whether the job can never be complete. */
  get cannotComplete(): boolean {
    return this.workload.jobs.some(({ job }) => job.plan.chunkFault?.times === "always");
  }

  /** The committed share of all items, from 0 to 1. */
  get share(): number {
    return this.original.committed().size / this.workload.items;
  }

  /** Whether a fault that makes nodes unreachable still lasts. */
  get isDisturbed(): boolean {
    return [...this.ongoing].some((explains) => explains.includes(69));
  }

  /** Starts `muster run` on a run directory, even if another one is running there. */
  start(place: RunCopy, what: string, env: { [name: string]: string } = {}, words: string[] = []): MusterProcess {
    this.assertOpen();
    const allowed: ProcessExit[] = [0, ...[...this.ongoing].flat()];
    if (this.cannotComplete) allowed.push("partial");
    if (this.hasConflict) allowed.push(75);
    const child = startMuster(["run", this.workload.file, "--out", place.path, ...this.nodeWords, ...words], { env });
    return new MusterProcess(place, `${++this.count}. run of ${place.name} (${what})`, watchMuster(child), allowed);
  }

  /** Starts the coordinator of a run directory. */
  launch(place: RunCopy, what: string, env: { [name: string]: string } = {}, words: string[] = []): MusterProcess {
    place.process = this.start(place, what, env, words);
    void this.watch(place.process);
    return place.process;
  }

  /** Waits for a muster process to end and records its result. Resolves with false if it had to be killed after `seconds`. */
  async end(muster: MusterProcess, seconds: number): Promise<boolean> {
    const timer = new AbortController();
    const late = sleep(seconds * 1000, true, { signal: timer.signal }).catch(() => false);
    const isLate = await Promise.race([late, muster.ended.then(() => false)]);
    timer.abort();
    if (isLate) {
      this.problems.push(`${muster.label}: has not ended within ${seconds} s`);
      muster.allow("killed");
      muster.signal("SIGKILL");
    }
    await this.watch(muster);
    this.assertOpen();
    return !isLate;
  }

  /** Runs another muster command and records its result. */
  async command(words: string[], allowed: ProcessExit[] = [0]): Promise<MusterResult> {
    const ran = await runMuster(words);
    const label = `${++this.count}. muster ${words.join(" ")}`;
    this.records.push({ label, exit: ran.code ?? "killed", ran });
    if (!allowed.includes(ran.code ?? "killed")) this.problems.push(`${label}: ended with ${ran.code}`);
    this.problems.push(...findStackTraces(label, ran));
    return ran;
  }

  /** Calls `undo` after `forMs`. Until then the exits `explains` are explained. */
  during(forMs: number, explains: ProcessExit[], undo: () => Promise<void> | void): void {
    this.ongoing.add(explains);
    this.original.process?.allow(...explains);
    const over = sleep(forMs).then(async () => {
      try {
        await undo();
      } catch (error) {
        this.problems.push(`the harness: ${error}`);
      }
      this.ongoing.delete(explains);
    });
    this.pendingUndos.push(over);
  }

  /** Resolves when all lasting faults are undone. */
  async settle(): Promise<void> {
    await Promise.all(this.pendingUndos);
  }

  /** Ends all processes of the scenario and removes its files. Nothing can be started afterwards. */
  close(): Promise<void> {
    this.closing ??= this.tearDown();
    return this.closing;
  }

  private assertOpen(): void {
    if (this.closing !== undefined) throw new Error("the scenario is closed");
  }

  private async tearDown(): Promise<void> {
    for (const { process: muster } of this.copies) muster?.signal("SIGKILL");
    await Promise.all(this.copies.map(({ process: muster }) => muster?.ended));
    await this.settle();
    this.disk?.unmount();
    this.shop.remove();
  }

  private readonly watched = new Map<MusterProcess, Promise<void>>();

  private watch(muster: MusterProcess): Promise<void> {
    const known = this.watched.get(muster);
    if (known !== undefined) return known;
    const watching = muster.ended.then(() => {
      this.records.push({ label: muster.label, exit: muster.exit, ran: muster.ran! });
      // The lease of such a plan is so short that it may expire before the next coordinator attaches.
      if (this.plan.leaseSeconds !== undefined)
        for (const node of this.nodes) this.allowance.expose(node, muster.place.committed(), MAX_QUEUED_EXECUTIONS);
      const wrong = committedProblems(muster.place, this.workload).map((problem) => `${muster.label}: ${problem}`);
      this.problems.push(...muster.problems(), ...wrong);
    });
    this.watched.set(muster, watching);
    return watching;
  }
}
