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

/** Executions that agents of a node may still begin of themselves, once their coordinator has gone. */
const MAX_QUEUED_EXECUTIONS = 16;

/** What a muster said, for whoever looks into a failure. */
export interface MusterRecord {
  label: string;
  exit: ProcessExit | undefined;
  ran: MusterResult;
}

/** One run under test: its files, its run directories, its nodes, what was done to it, and what is wrong with it. */
export class Scenario {
  readonly problems: string[] = [];
  readonly records: MusterRecord[] = [];
  readonly original: RunCopy;
  readonly copies: RunCopy[];
  readonly allowance: Allowance;
  readonly disk: RunDisk | undefined;
  /** A backup of the run directory. */
  backup: string | undefined;
  /** From now on two run directories may want the same nodes. */
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

  /** Sets up a plan on a testbed: nothing runs yet. */
  static async open(plan: ChaosPlan, testbed: Testbed): Promise<Scenario> {
    const shop = new TestFolder();
    const mark = `${plan.seed}`;
    const words = await testbed.prepare(plan, mark);
    return new Scenario(plan, shop, testbed.nodesOf(plan), new Workload(shop, mark, plan), words);
  }

  /** Whether the job can never be complete. */
  get isDoomed(): boolean {
    return this.workload.jobs.some(({ job }) => job.plan.misdeed?.times === "always");
  }

  /** The share of all items that is committed. */
  get share(): number {
    return this.original.committed().size / this.workload.items;
  }

  /** Whether something that keeps nodes from answering has not been undone yet. */
  get isDisturbed(): boolean {
    return [...this.ongoing].some((explains) => explains.includes(69));
  }

  /** Starts `muster run` in a place, beside whatever runs there. */
  start(place: RunCopy, what: string, env: { [name: string]: string } = {}, words: string[] = []): MusterProcess {
    this.assertOpen();
    const allowed: ProcessExit[] = [0, ...[...this.ongoing].flat()];
    if (this.isDoomed) allowed.push("partial");
    if (this.hasConflict) allowed.push(75);
    const child = startMuster(["run", this.workload.file, "--out", place.path, ...this.nodeWords, ...words], { env });
    return new MusterProcess(place, `${++this.count}. run of ${place.name} (${what})`, watchMuster(child), allowed);
  }

  /** Starts the one coordinator of a place. */
  launch(place: RunCopy, what: string, env: { [name: string]: string } = {}, words: string[] = []): MusterProcess {
    place.process = this.start(place, what, env, words);
    void this.watch(place.process);
    return place.process;
  }

  /** Waits for the end of a muster and looks at it. False where it had to be killed after so many seconds. */
  async end(life: MusterProcess, seconds: number): Promise<boolean> {
    const timer = new AbortController();
    const late = sleep(seconds * 1000, true, { signal: timer.signal }).catch(() => false);
    const isLate = await Promise.race([late, life.ended.then(() => false)]);
    timer.abort();
    if (isLate) {
      this.problems.push(`${life.label}: has not ended within ${seconds} s`);
      life.allow("killed");
      life.signal("SIGKILL");
    }
    await this.watch(life);
    this.assertOpen();
    return !isLate;
  }

  /** Runs another command of muster on a place. */
  async command(words: string[], allowed: ProcessExit[] = [0]): Promise<MusterResult> {
    const ran = await runMuster(words);
    const label = `${++this.count}. muster ${words.join(" ")}`;
    this.records.push({ label, exit: ran.code ?? "killed", ran });
    if (!allowed.includes(ran.code ?? "killed")) this.problems.push(`${label}: ended with ${ran.code}`);
    this.problems.push(...findStackTraces(label, ran));
    return ran;
  }

  /** Something holds for a while, and is undone then; as long as it does, these ways of ending are explained. */
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

  /** Resolves when everything that was done for a while is undone. */
  async settle(): Promise<void> {
    await Promise.all(this.pendingUndos);
  }

  /** Ends what still runs here and removes the files; nothing can be started from then on. */
  close(): Promise<void> {
    this.closing ??= this.tearDown();
    return this.closing;
  }

  private assertOpen(): void {
    if (this.closing !== undefined) throw new Error("the scene is closed");
  }

  private async tearDown(): Promise<void> {
    for (const { process: life } of this.copies) life?.signal("SIGKILL");
    await Promise.all(this.copies.map(({ process: life }) => life?.ended));
    await this.settle();
    this.disk?.unmount();
    this.shop.remove();
  }

  private readonly watched = new Map<MusterProcess, Promise<void>>();

  private watch(life: MusterProcess): Promise<void> {
    const known = this.watched.get(life);
    if (known !== undefined) return known;
    const watching = life.ended.then(() => {
      this.records.push({ label: life.label, exit: life.exit, ran: life.ran! });
      // The lease of such a plan is so short that it may be over before the next coordinator is there.
      if (this.plan.leaseSeconds !== undefined)
        for (const node of this.nodes) this.allowance.expose(node, life.place.committed(), MAX_QUEUED_EXECUTIONS);
      const wrong = committedProblems(life.place, this.workload).map((problem) => `${life.label}: ${problem}`);
      this.problems.push(...life.problems(), ...wrong);
    });
    this.watched.set(life, watching);
    return watching;
  }
}
