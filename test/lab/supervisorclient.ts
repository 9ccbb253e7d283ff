import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { LabKind } from "./requirements.js";
import type { FromSupervisor, StartNode } from "./supervisorprotocol.js";

/** The test's end of the supervisor's pipe. */
export class SupervisorClient {
  private readonly waiting = new Map<number, { resolve(m: FromSupervisor): void; reject(e: Error): void }>();
  private last = 0;
  private errors = "";
  readonly greeting: Promise<FromSupervisor>;
  private readonly ended: Promise<void>;

  private constructor(private readonly child: ChildProcess) {
    this.greeting = this.expect(0);
    // The caller may be a step away from awaiting it; a rejection is not lost to it.
    this.greeting.catch(() => undefined);
    createInterface({ input: child.stdout! }).on("line", (line) => this.take(JSON.parse(line) as FromSupervisor));
    child.stderr!.on("data", (piece) => {
      this.errors += piece;
    });
    this.ended = new Promise((resolve) => child.once("close", () => resolve(this.end())));
    child.stdin!.on("error", () => undefined);
  }

  /** Starts one for the lab whose (existing) folder is given; it deletes the folder at the end. */
  static start(folder: string, kind: LabKind): SupervisorClient {
    const program = [process.execPath, fileURLToPath(new URL("supervisor.js", import.meta.url)), folder, kind];
    const argv = kind === "machines" ? ["unshare", "--mount", "--propagation", "private", ...program] : program;
    // Detached: Ctrl-C in the test's terminal must not reach it before its pipe closes.
    const child = spawn(argv[0]!, argv.slice(1), { detached: true, stdio: "pipe" });
    return new SupervisorClient(child);
  }

  get pid(): number {
    return this.child.pid!;
  }

  async startNode(node: StartNode): Promise<number> {
    const answer = await this.ask({ op: "start", node });
    return answer.pid!;
  }

  async killNode(name: string): Promise<void> {
    await this.ask({ op: "kill", name });
  }

  /** Takes the whole lab down and resolves when nothing of it is left. */
  async stop(): Promise<void> {
    this.child.ref();
    this.child.stdin!.end();
    await this.ended;
    if (this.child.exitCode !== 0) throw new Error(`the lab did not end well: ${this.errors.trim()}`);
  }

  private ask(request: { op: "start"; node: StartNode } | { op: "kill"; name: string }): Promise<FromSupervisor> {
    const id = ++this.last;
    const answer = this.expect(id);
    this.child.stdin!.write(`${JSON.stringify({ id, ...request })}\n`);
    return answer;
  }

  /** While an answer is awaited the pipes keep the test alive; otherwise a test that forgets `stop` ends all the same. */
  private async expect(id: number): Promise<FromSupervisor> {
    this.hold();
    try {
      const answer = await new Promise<FromSupervisor>((resolve, reject) => this.waiting.set(id, { resolve, reject }));
      if (answer.error !== undefined) throw new Error(answer.error);
      return answer;
    } finally {
      this.waiting.delete(id);
      if (this.waiting.size === 0) this.letGo();
    }
  }

  private take(message: FromSupervisor): void {
    this.waiting.get(message.id)?.resolve(message);
  }

  private end(): void {
    for (const { reject } of this.waiting.values()) reject(new Error(`the supervisor ended: ${this.errors.trim()}`));
  }

  private hold(): void {
    for (const part of this.parts()) part.ref?.();
  }

  private letGo(): void {
    for (const part of this.parts()) part.unref?.();
  }

  private parts(): { ref?(): void; unref?(): void }[] {
    const { stdin, stdout, stderr } = this.child as unknown as Record<string, { ref?(): void; unref?(): void }>;
    return [this.child, stdin!, stdout!, stderr!];
  }
}
