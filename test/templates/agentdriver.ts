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
import type {
  AgentCommand,
  AgentMessage,
  AttemptSpec,
  DoneMessage,
  HelloMessage,
  KeptState,
  OpenCommand,
} from "../../executor/run/agent/protocol.js";
import { isAgentCommand } from "../../schemas/protocolvalidators.js";
import { agentProgram } from "../../templates/nodeprograms.js";

/** A run folder, on this machine as the node. */
export class AgentFolder {
  readonly root: string;

  /** `parent`: the workdir of the node. */
  constructor(parent = mkdtempSync(join(realpathSync(tmpdir()), "agent-")), name = "r1") {
    this.root = join(parent, "runs", name);
    mkdirSync(join(this.root, "store"), { recursive: true });
  }

  /** Stages a file; returns its SHA-256. */
  stage(content: string | Buffer): string {
    const sha256 = createHash("sha256").update(content).digest("hex");
    writeFileSync(join(this.root, "store", sha256), content);
    return sha256;
  }

  /** The folders of attempts. */
  listAttempts(): string[] {
    return existsSync(join(this.root, "a")) ? readdirSync(join(this.root, "a")) : [];
  }

  remove(): void {
    rmSync(join(this.root, "..", ".."), { recursive: true, force: true });
  }
}

/** The nonces of the `number`th coordinator of a run directory. */
export function coordinatorNonces(number: number): Pick<OpenCommand, "nonce" | "nonces"> {
  const nonces = Array.from({ length: number }, (_, index) => `${index + 1}`.padStart(16, "0"));
  return { nonce: nonces.at(-1)!, nonces };
}

/** An attachment to a real agent, over pipes, as with sshd. It keeps all messages; `waitFor` returns one. */
export class AgentAttachment {
  readonly messages: AgentMessage[] = [];
  private readonly process: ChildProcessWithoutNullStreams;
  private readonly arrivals = new EventEmitter().setMaxListeners(0);
  private readonly returned = new Set<AgentMessage>();
  stderr = "";

  /**
   * `env` adds to the environment of the agent, if this attachment starts it; unlike over SSH, PYTHON* variables count. `program`: without its
   * last word.
   */
  constructor(
    readonly folder: AgentFolder,
    env: NodeJS.ProcessEnv = {},
    program = agentProgram(),
  ) {
    const words = program.args.map((word) => (word === "-IS" ? "-S" : word));
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

  send(...commands: AgentCommand[]): void {
    for (const command of commands)
      if (!isAgentCommand(command)) throw new Error(`not a command of the protocol: ${JSON.stringify(command)}`);
    this.sendText(commands.map((command) => `${JSON.stringify(command)}\n`).join(""));
  }

  /** Sends any text. */
  sendText(text: string): void {
    this.process.stdin.write(text);
  }

  /** Sends `open`, with defaults for what a test does not set. Returns the hello. */
  async open(settings: Partial<OpenCommand> = {}): Promise<HelloMessage> {
    const reply = await this.sendOpen(settings);
    if (reply.ev !== "hello") throw new Error(`the agent answered ${JSON.stringify(reply)}`);
    return reply;
  }

  /** Sends `open`, and returns the reply: hello or refused. */
  async sendOpen(settings: Partial<OpenCommand> = {}): Promise<AgentMessage> {
    const base = {
      op: "open",
      run: "r1",
      ...coordinatorNonces(1),
      lease: 30,
      priority: 0,
      env: {},
      inline: 4096,
      log: 1 << 20,
    } as const;
    this.send({ ...base, slots: [{ slot: 0, env: {} }], ...settings });
    return this.waitFor((one) => one.ev === "hello" || one.ev === "refused");
  }

  start(id: string, spec: Partial<AttemptSpec>, args: string[] = [], slot = 0, state?: KeptState): void {
    const whole = { argv: ["sh", "-c"], env: {}, files: [], outputs: [], limit: 2 ** 32, ...spec };
    this.send({ op: "start", id, chunk: `chunk-${id}`, slot, spec: whole, args, state });
  }

  /** Runs a shell script as an attempt, and waits for its result. */
  async run(id: string, script: string, spec: Partial<AttemptSpec> = {}, slot = 0): Promise<DoneMessage> {
    this.start(id, spec, [script], slot);
    return this.waitForDone(id);
  }

  waitForDone(id: string): Promise<DoneMessage> {
    return this.waitFor((one) => one.ev === "done" && one.id === id) as Promise<DoneMessage>;
  }

  /** The first message that matches and was not returned before. Rejects after `timeoutSeconds` with what came instead. */
  async waitFor(matches: (message: AgentMessage) => boolean, timeoutSeconds = 20): Promise<AgentMessage> {
    const signal = AbortSignal.timeout(timeoutSeconds * 1000);
    for (;;) {
      const found = this.messages.find((one) => !this.returned.has(one) && matches(one));
      if (found !== undefined) {
        this.returned.add(found);
        return found;
      }
      await once(this.arrivals, "message", { signal }).catch(() => {
        throw new Error(`no matching message: ${JSON.stringify(this.messages).slice(-1500)} ${this.stderr}`);
      });
    }
  }

  /** Closes the pipes, as when a coordinator ends. Resolves when attach has ended. */
  async disconnect(): Promise<void> {
    this.process.stdin.end();
    await this.waitForExit();
  }

  /** The exit code of attach, once it has ended. */
  async waitForExit(): Promise<number | null> {
    if (this.process.exitCode === null && this.process.signalCode === null) await once(this.process, "exit");
    return this.process.exitCode;
  }

  async stop(): Promise<void> {
    this.send({ op: "stop" });
    await this.waitFor((one) => one.ev === "bye");
    await this.waitForExit();
  }
}

/** A folder and an opened attachment. The agent is stopped and the folder removed after the test, whatever happens in it. */
export async function attachAgent(
  test: Test,
  settings: Parameters<AgentAttachment["open"]>[0] = {},
  env: NodeJS.ProcessEnv = {},
) {
  const folder = new AgentFolder();
  const attachment = new AgentAttachment(folder, env);
  test.teardown(() => stopAgent(folder));
  const hello = await attachment.open(settings);
  return { folder, attachment, hello };
}

/** Stops the agent of the folder, if there is one, and removes the folder. */
export async function stopAgent(folder: AgentFolder): Promise<void> {
  if (existsSync(join(folder.root, "agent.sock"))) await new AgentAttachment(folder).stop();
  folder.remove();
}

/** Pids of processes whose environment or command line contains `mark`; zombies have neither. */
export function findProcesses(mark: string): number[] {
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

/** The text of a log or output that is part of a message. */
export function decodeInline(report: { data?: string } | undefined): string {
  return Buffer.from(report?.data ?? "", "base64").toString();
}
