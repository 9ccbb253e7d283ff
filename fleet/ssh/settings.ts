import { ConnectionError, type Where } from "../errors.js";
import { askSsh, type HostName, type SshAnswer } from "./sshg.js";

/** The settings of a machine as `ssh -G` prints them: lower-case keys, some of which have several values. */
export type Settings = Map<string, string[]>;

/** How long an answer is used: nodes that are away are dialled again and again. */
const REUSE_MS = 300_000;
/** How long ssh may take for one name: a `Match exec` of the configuration may start anything. */
const TIMEOUT_MS = 15_000;
/** Shells that ask side by side, and names that one of them asks for. */
const SHELLS = 4;
const LEAST_NAMES = 8;
const MOST_NAMES = 500;

/** The exit code of a shell that finds no such program. */
const NO_PROGRAM = 127;

/** The settings of a name, or why ssh has none. */
type Found = { settings: Settings } | { reason: string };

interface Question {
  name: HostName;
  answer: (found: Found) => void;
}

/** What ssh's configuration says of machines; each name is asked for once in a while, and all names of one turn together. */
export class SshSettings {
  private readonly known = new Map<string, { found: Promise<Found>; untilMs: number }>();
  private questions: Question[] = [];

  /** `file`: a configuration instead of ~/.ssh/config. */
  constructor(
    private readonly file = process.env.MUSTER_SSH_CONFIG,
    private readonly timeoutMs = TIMEOUT_MS,
  ) {}

  /** The settings of one name; none where there is no ssh here. Rejects with a ConnectionError (CONFIG). */
  async of(name: HostName, where: Where): Promise<Settings> {
    const found = await this.find(name);
    if ("settings" in found) return found.settings;
    throw new ConnectionError("CONFIG", where, `ssh cannot make sense of it: ${found.reason}`, {
      next: `try: ssh -G ${name.alias}`,
    });
  }

  private async find(name: HostName): Promise<Found> {
    const key = JSON.stringify([name.alias, name.port, name.user]);
    const known = this.known.get(key);
    if (known !== undefined && performance.now() < known.untilMs) return known.found;
    const found = new Promise<Found>((resolve) => {
      if (this.questions.length === 0) setImmediate(() => this.askAll());
      this.questions.push({ name, answer: resolve });
    });
    this.known.set(key, { found, untilMs: performance.now() + REUSE_MS });
    if ("reason" in (await found)) this.known.delete(key);
    return found;
  }

  private askAll(): void {
    const questions = this.questions;
    this.questions = [];
    const size = Math.min(Math.max(Math.ceil(questions.length / SHELLS), LEAST_NAMES), MOST_NAMES);
    for (let from = 0; from < questions.length; from += size) void this.ask(questions.slice(from, from + size));
  }

  /** A name that ssh hangs at costs its own answer only: the names after it are asked for once more. */
  private async ask(questions: Question[]): Promise<void> {
    let answered = 0;
    const names = questions.map(({ name }) => name);
    for await (const answer of askSsh(this.file, names, this.timeoutMs)) questions[answered++]!.answer(foundIn(answer));
    if (answered < questions.length) await this.ask(questions.slice(answered));
  }
}

function foundIn({ exit, stdout, stderr }: SshAnswer): Found {
  if (exit === 0) return { settings: parseSettings(stdout) };
  if (exit === NO_PROGRAM) return { settings: new Map() };
  return { reason: stderr.trim() || `exit code ${exit}` };
}

/** The lines of `ssh -G`: a lower-case key, a space, the value; some keys come several times. */
export function parseSettings(text: string): Settings {
  const settings: Settings = new Map();
  for (const line of text.split("\n")) {
    const [, key, value] = /^(\S+) (.+)$/.exec(line) ?? [];
    if (key === undefined || value === undefined) continue;
    settings.set(key, [...(settings.get(key) ?? []), value]);
  }
  return settings;
}
