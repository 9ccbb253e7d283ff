import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { EventEmitter, once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Test } from "tap";
import type { Done, FromAgent, SlotSetup, Spec, ToAgent } from "../../executor/run/agent/protocol.js";
import { agentProgram } from "../../templates/templates.js";

type Hello = Extract<FromAgent, { ev: "hello" }>;
type Open = Extract<ToAgent, { op: "open" }>;

/** A run's folder on a "node" that is this machine. */
export class Folder {
  readonly root: string;

  constructor(parent = mkdtempSync(join(realpathSync(tmpdir()), "agent-"))) {
    this.root = join(parent, "runs", "r1");
    mkdirSync(join(this.root, "store"), { recursive: true });
  }

  /** Puts a staged file there; answers with its SHA-256. */
  stage(content: string | Buffer): string {
    const sha256 = createHash("sha256").update(content).digest("hex");
    writeFileSync(join(this.root, "store", sha256), content);
    return sha256;
  }

  /** What is left of attempts. */
  attempts(): string[] {
    return existsSync(join(this.root, "a")) ? readdirSync(join(this.root, "a")) : [];
  }

  remove(): void {
    rmSync(join(this.root, "..", ".."), { recursive: true, force: true });
  }
}

/** What the `number`th coordinator of a run directory says of itself. */
export function coordinator(number: number): Pick<Open, "nonce" | "nonces"> {
  const nonces = Array.from({ length: number }, (_, index) => `${index + 1}`.padStart(16, "0"));
  return { nonce: nonces.at(-1)!, nonces };
}

/** One attachment to a real agent, over pipes as sshd would have them. Messages are kept; `next` waits for one. */
export class Attachment {
  readonly messages: FromAgent[] = [];
  private readonly process: ChildProcessWithoutNullStreams;
  private readonly arrivals = new EventEmitter().setMaxListeners(0);
  private readonly taken = new Set<FromAgent>();
  stderr = "";

  /** `env` adds to the environment of the agent, should this attachment start it; python's own variables count only here. */
  constructor(
    readonly folder: Folder,
    env: NodeJS.ProcessEnv = {},
  ) {
    const program = agentProgram();
    const words = program.words.map((word) => (word === "-IS" ? "-S" : word));
    this.process = spawn("python3", [...words, folder.root], { env: { ...process.env, ...env } });
    this.process.stdin.write(program.stdin);
    this.process.stderr.on("data", (data) => {
      this.stderr += data;
    });
    this.process.stdin.on("error", () => {});
    createInterface({ input: this.process.stdout }).on("line", (line) => {
      this.messages.push(JSON.parse(line));
      this.arrivals.emit("message");
    });
  }

  send(...messages: ToAgent[]): void {
    this.process.stdin.write(messages.map((message) => `${JSON.stringify(message)}\n`).join(""));
  }

  raw(text: string): void {
    this.process.stdin.write(text);
  }

  /** `open` with defaults for what a test does not care about. Answers with the hello. */
  async open(settings: Partial<Open> = {}): Promise<Hello> {
    const reply = await this.ask(settings);
    if (reply.ev !== "hello") throw new Error(`the agent answered ${JSON.stringify(reply)}`);
    return reply;
  }

  /** Sends `open`, and answers with what the agent makes of it: hello or refused. */
  async ask(settings: Partial<Open> & { slots?: SlotSetup[] } = {}): Promise<FromAgent> {
    const base = {
      op: "open",
      run: "r1",
      ...coordinator(1),
      lease: 30,
      priority: 0,
      env: {},
      inline: 4096,
      log: 1 << 20,
    } as const;
    this.send({ ...base, slots: [{ slot: 0, env: {} }], ...settings });
    return this.next((one) => one.ev === "hello" || one.ev === "refused");
  }

  start(id: string, spec: Partial<Spec>, args: string[] = [], slot = 0): void {
    const whole = { argv: ["sh", "-c"], env: {}, files: [], outputs: [], limit: 2 ** 32, ...spec };
    this.send({ op: "start", id, chunk: `chunk-${id}`, slot, spec: whole, args });
  }

  /** Runs a shell script as an attempt and waits for its end. */
  async run(id: string, script: string, spec: Partial<Spec> = {}, slot = 0): Promise<Done> {
    this.start(id, spec, [script], slot);
    return this.done(id);
  }

  done(id: string): Promise<Done> {
    return this.next((one) => one.ev === "done" && one.id === id) as Promise<Done>;
  }

  /** The first message not yet taken that fits; fails after `patience` seconds with what came instead. */
  async next(fits: (message: FromAgent) => boolean, patience = 20): Promise<FromAgent> {
    const signal = AbortSignal.timeout(patience * 1000);
    for (;;) {
      const found = this.messages.find((one) => !this.taken.has(one) && fits(one));
      if (found !== undefined) {
        this.taken.add(found);
        return found;
      }
      await once(this.arrivals, "message", { signal }).catch(() => {
        throw new Error(`nothing that fits: ${JSON.stringify(this.messages).slice(-1500)} ${this.stderr}`);
      });
    }
  }

  /** The coordinator goes away: the connection's pipes close. Resolves when attach has ended. */
  async drop(): Promise<void> {
    this.process.stdin.end();
    await this.ended();
  }

  /** Exit code of attach, once it is gone. */
  async ended(): Promise<number | null> {
    if (this.process.exitCode === null && this.process.signalCode === null) await once(this.process, "exit");
    return this.process.exitCode;
  }

  async stop(): Promise<void> {
    this.send({ op: "stop" });
    await this.next((one) => one.ev === "bye");
    await this.ended();
  }
}

/** A folder and an opened attachment; the agent and the folder are gone after the test, whatever happens in it. */
export async function agent(test: Test, settings: Parameters<Attachment["open"]>[0] = {}) {
  const folder = new Folder();
  const attachment = new Attachment(folder);
  test.teardown(() => end(folder));
  const hello = await attachment.open(settings);
  return { folder, attachment, hello };
}

/** Stops whatever agent still serves the folder and removes it. */
export async function end(folder: Folder): Promise<void> {
  if (existsSync(join(folder.root, "agent.sock"))) await new Attachment(folder).stop();
  folder.remove();
}

/** Process ids whose environment or command line has `mark`, zombies not among them. */
export function processesWith(mark: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => [`/proc/${name}/environ`, `/proc/${name}/cmdline`].some((file) => textOf(file).includes(mark)))
    .map(Number);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}

/** The text of a log or output that came along inline. */
export function decode(report: { data?: string } | undefined): string {
  return Buffer.from(report?.data ?? "", "base64").toString();
}
