/** What a command has written, and how it ended. */
export interface ShellOutput {
  stdout: string;
  stderr: string;
  /** null: a signal has ended it. */
  exitCode: number | null;
  /** The lines of stdout. */
  lines(): string[];
  /** stdout as text. */
  text(): string;
}

/** A command that runs on the node. Rejects where it fails, unless `nothrow` is set. */
export interface ShellCommand extends Promise<ShellOutput> {
  /** The standard input of the command. */
  readonly stdin: { write(data: string | Uint8Array): unknown; end(): unknown };
  nothrow(): ShellCommand;
  /** Sends stdout to another command, and returns that one. */
  pipe(next: ShellCommand): ShellCommand;
  /** Resolves with stdout as text. */
  text(): Promise<string>;
  /** Resolves with the lines of stdout. */
  lines(): Promise<string[]>;
}

/** `cwd` is a folder of the node; `input` is sent to the command; `nothrow`: a command that fails resolves, too. */
export interface ShellOptions {
  cwd?: string;
  input?: string | Uint8Array;
  nothrow?: boolean;
}

/** The part of zx's `$` that playbooks use, on a node: commands of /bin/sh under `set -eu`, whose inserted words are quoted. */
export interface NodeShell {
  (pieces: TemplateStringsArray, ...words: readonly unknown[]): ShellCommand;
  (options: ShellOptions): NodeShell;
}
