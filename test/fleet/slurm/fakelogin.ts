import type { Channel, CommandResult, Connection, ExecOptions, Files } from "../../../fleet/connection.js";
import { createNode } from "../nodes.js";

/** A connection to a login node on which commands end as `answer` says. */
export class FakeLogin implements Connection {
  readonly node = createNode({ name: "hpc" });
  readonly closed: Promise<string>;
  /** Resolves `closed`, as a lost connection does. */
  lose!: (reason: string) => void;
  isClosed = false;
  readonly commands: string[][] = [];

  constructor(private readonly answer: (argv: string[], options: ExecOptions) => Partial<CommandResult> = () => ({})) {
    this.closed = new Promise((resolve) => {
      this.lose = resolve;
    });
  }

  async exec(argv: string[], options: ExecOptions): Promise<CommandResult> {
    this.commands.push(argv);
    return { kind: "exit", code: 0, stdout: "", stderr: "", ...this.answer(argv, options) } as CommandResult;
  }

  open(): Promise<Channel> {
    throw new Error("not used");
  }

  files(): Promise<Files> {
    throw new Error("not used");
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.lose("closed");
  }
}
