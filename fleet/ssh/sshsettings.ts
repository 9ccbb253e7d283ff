import { ConnectionError, type NodeStep } from "../connectionerror.js";
import { type HostAlias, querySshConfig, type SshConfigAnswer } from "./sshconfigquery.js";

/** The settings of a machine as `ssh -G` prints them: lower-case keys, some of which have several values. */
export type HostSettings = Map<string, string[]>;

/** How long an answer is used: nodes that are away are dialled again and again. */
const CACHE_MS = 300_000;
/** How long ssh may take for one name: a `Match exec` of the configuration may start anything. */
const QUERY_TIMEOUT_MS = 15_000;
/** Shells that ask side by side, and names that one of them asks for. */
const MAX_SHELLS = 4;
const MIN_NAMES_PER_SHELL = 8;
const MAX_NAMES_PER_SHELL = 500;

/** The exit code of a shell that finds no such program. */
const PROGRAM_NOT_FOUND = 127;

/** The settings of a name, or why ssh has none. */
type SettingsResult = { settings: HostSettings } | { reason: string };

interface SettingsRequest {
  name: HostAlias;
  resolve: (found: SettingsResult) => void;
}

/** What ssh's configuration says of machines; each name is asked for once in a while, and all names of one turn together. */
export class SshSettings {
  private readonly cache = new Map<string, { found: Promise<SettingsResult>; untilMs: number }>();
  private pending: SettingsRequest[] = [];

  /** `file`: a configuration instead of ~/.ssh/config. */
  constructor(
    private readonly file = process.env.MUSTER_SSH_CONFIG,
    private readonly timeoutMs = QUERY_TIMEOUT_MS,
  ) {}

  /** The settings of one name; none where there is no ssh here. Rejects with a ConnectionError (CONFIG). */
  async resolve(name: HostAlias, where: NodeStep): Promise<HostSettings> {
    const found = await this.find(name);
    if ("settings" in found) return found.settings;
    throw new ConnectionError("CONFIG", where, `ssh cannot make sense of it: ${found.reason}`, {
      next: `try: ssh -G ${name.alias}`,
    });
  }

  private async find(name: HostAlias): Promise<SettingsResult> {
    const key = JSON.stringify([name.alias, name.port, name.user]);
    const known = this.cache.get(key);
    if (known !== undefined && performance.now() < known.untilMs) return known.found;
    const found = new Promise<SettingsResult>((resolve) => {
      if (this.pending.length === 0) setImmediate(() => this.queryPending());
      this.pending.push({ name, resolve: resolve });
    });
    this.cache.set(key, { found, untilMs: performance.now() + CACHE_MS });
    if ("reason" in (await found)) this.cache.delete(key);
    return found;
  }

  private queryPending(): void {
    const questions = this.pending;
    this.pending = [];
    const size = Math.min(Math.max(Math.ceil(questions.length / MAX_SHELLS), MIN_NAMES_PER_SHELL), MAX_NAMES_PER_SHELL);
    for (let from = 0; from < questions.length; from += size) void this.query(questions.slice(from, from + size));
  }

  /** A name that ssh hangs at costs its own answer only: the names after it are asked for once more. */
  private async query(questions: SettingsRequest[]): Promise<void> {
    let answered = 0;
    const names = questions.map(({ name }) => name);
    for await (const answer of querySshConfig(this.file, names, this.timeoutMs))
      questions[answered++]!.resolve(parseAnswer(answer));
    if (answered < questions.length) await this.query(questions.slice(answered));
  }
}

function parseAnswer({ exit, stdout, stderr }: SshConfigAnswer): SettingsResult {
  if (exit === 0) return { settings: parseSettings(stdout) };
  if (exit === PROGRAM_NOT_FOUND) return { settings: new Map() };
  return { reason: stderr.trim() || `exit code ${exit}` };
}

/** The lines of `ssh -G`: a lower-case key, a space, the value; some keys come several times. */
export function parseSettings(text: string): HostSettings {
  const settings: HostSettings = new Map();
  for (const line of text.split("\n")) {
    const [, key, value] = /^(\S+) (.+)$/.exec(line) ?? [];
    if (key === undefined || value === undefined) continue;
    settings.set(key, [...(settings.get(key) ?? []), value]);
  }
  return settings;
}
