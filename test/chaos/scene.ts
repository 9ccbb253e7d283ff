import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type MusterResult, runMuster, startMuster, TestFolder } from "../cli/startmuster.js";
import { launched } from "../faults/known.js";
import type { LabNode } from "../lab/lab.js";
import { Allowance } from "./allowance.js";
import { committedProblems } from "./checkresults.js";
import { type Exit, Life, tracesIn } from "./life.js";
import { Place } from "./place.js";
import type { Plan } from "./plan.js";
import { RunDisk } from "./rundisk.js";
import type { Testbed } from "./testbed.js";
import { Workload } from "./workload.js";

/** Executions that agents of a node may still begin of themselves, once their coordinator has gone. */
const QUEUED = 16;

/** What a muster said, for whoever looks into a failure. */
export interface Said {
  label: string;
  exit: Exit | undefined;
  ran: MusterResult;
}

/** One run under test: its files, its run directories, its nodes, what was done to it, and what is wrong with it. */
export class Scene {
  readonly problems: string[] = [];
  readonly records: Said[] = [];
  readonly original: Place;
  readonly places: Place[];
  readonly allowance: Allowance;
  readonly disk: RunDisk | undefined;
  /** A backup of the run directory. */
  backup: string | undefined;
  /** From now on two run directories may want the same nodes. */
  hasConflict = false;
  private readonly ongoing = new Set<Exit[]>();
  private readonly undone: Promise<void>[] = [];
  private closing: Promise<void> | undefined;
  private count = 0;

  private constructor(
    readonly plan: Plan,
    readonly shop: TestFolder,
    readonly nodes: LabNode[],
    readonly workload: Workload,
    private readonly nodeWords: string[],
  ) {
    this.original = new Place(join(shop.folder, "run"), "run", workload);
    this.places = [this.original];
    this.allowance = new Allowance(workload);
    if (plan.faults.some(({ kind }) => kind === "disk-full-here")) this.disk = RunDisk.mount(this.original.path);
  }

  /** Sets up a plan on a testbed: nothing runs yet. */
  static async open(plan: Plan, testbed: Testbed): Promise<Scene> {
    const shop = new TestFolder();
    const mark = `${plan.seed}`;
    const words = await testbed.prepare(plan, mark);
    return new Scene(plan, shop, testbed.nodesOf(plan), new Workload(shop, mark, plan), words);
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
  start(place: Place, what: string, env: { [name: string]: string } = {}, words: string[] = []): Life {
    this.refuseClosed();
    const allowed: Exit[] = [0, ...[...this.ongoing].flat()];
    if (this.isDoomed) allowed.push("partial");
    if (this.hasConflict) allowed.push(75);
    const child = startMuster(["run", this.workload.file, "--out", place.path, ...this.nodeWords, ...words], { env });
    return new Life(place, `${++this.count}. run of ${place.name} (${what})`, launched(child), allowed);
  }

  /** Starts the one coordinator of a place. */
  launch(place: Place, what: string, env: { [name: string]: string } = {}, words: string[] = []): Life {
    place.life = this.start(place, what, env, words);
    void this.watch(place.life);
    return place.life;
  }

  /** Waits for the end of a muster and looks at it. False where it had to be killed after so many seconds. */
  async end(life: Life, seconds: number): Promise<boolean> {
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
    this.refuseClosed();
    return !isLate;
  }

  /** Runs another command of muster on a place. */
  async command(words: string[], allowed: Exit[] = [0]): Promise<MusterResult> {
    const ran = await runMuster(words);
    const label = `${++this.count}. muster ${words.join(" ")}`;
    this.records.push({ label, exit: ran.code ?? "killed", ran });
    if (!allowed.includes(ran.code ?? "killed")) this.problems.push(`${label}: ended with ${ran.code}`);
    this.problems.push(...tracesIn(label, ran));
    return ran;
  }

  /** Something holds for a while, and is undone then; as long as it does, these ways of ending are explained. */
  during(forMs: number, explains: Exit[], undo: () => Promise<void> | void): void {
    this.ongoing.add(explains);
    this.original.life?.allow(...explains);
    const over = sleep(forMs).then(async () => {
      try {
        await undo();
      } catch (error) {
        this.problems.push(`the harness: ${error}`);
      }
      this.ongoing.delete(explains);
    });
    this.undone.push(over);
  }

  /** Resolves when everything that was done for a while is undone. */
  async settle(): Promise<void> {
    await Promise.all(this.undone);
  }

  /** Ends what still runs here and removes the files; nothing can be started from then on. */
  close(): Promise<void> {
    this.closing ??= this.takeDown();
    return this.closing;
  }

  private refuseClosed(): void {
    if (this.closing !== undefined) throw new Error("the scene is closed");
  }

  private async takeDown(): Promise<void> {
    for (const { life } of this.places) life?.signal("SIGKILL");
    await Promise.all(this.places.map(({ life }) => life?.ended));
    await this.settle();
    this.disk?.unmount();
    this.shop.remove();
  }

  private readonly watched = new Map<Life, Promise<void>>();

  private watch(life: Life): Promise<void> {
    const known = this.watched.get(life);
    if (known !== undefined) return known;
    const watching = life.ended.then(() => {
      this.records.push({ label: life.label, exit: life.exit, ran: life.ran! });
      // The lease of such a plan is so short that it may be over before the next coordinator is there.
      if (this.plan.leaseSeconds !== undefined)
        for (const node of this.nodes) this.allowance.expose(node, life.place.committed(), QUEUED);
      const wrong = committedProblems(life.place, this.workload).map((problem) => `${life.label}: ${problem}`);
      this.problems.push(...life.problems(), ...wrong);
    });
    this.watched.set(life, watching);
    return watching;
  }
}
