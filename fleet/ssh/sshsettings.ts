import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { ConnectionError, type NodeStep } from "../connectionerror.js";
import { type HostAlias, querySshConfig, type SshConfigAnswer } from "./sshconfigquery.js";

/** The settings of a machine as `ssh -G` prints them: lower-case keys, some with several values. */
export type HostSettings = Map<string, string[]>;

/** How long an answer is cached: unreachable nodes are dialled again and again. */
const CACHE_MS = 300_000;
/** How long ssh may take for one name: a `Match exec` in the configuration may run any program. */
const QUERY_TIMEOUT_MS = 15_000;
/** How many shells run queries in parallel, and how many names one of them queries. */
const MAX_SHELLS = 4;
const MIN_NAMES_PER_SHELL = 8;
const MAX_NAMES_PER_SHELL = 500;

/** The exit code of a shell if the program is not installed. */
const PROGRAM_NOT_FOUND = 127;

/** The settings of a name, or why ssh rejects it. */
type SettingsResult = { settings: HostSettings } | { reason: string; next?: string };

interface SettingsRequest {
  name: HostAlias;
  resolve: (found: SettingsResult) => void;
}

/** Resolves and caches ssh's settings of machines. The names requested in one turn of the event loop are queried together. */
export class SshSettings {
  private readonly cache = new Map<string, { found: Promise<SettingsResult>; untilMs: number }>();
  private pending: SettingsRequest[] = [];

  /** `file`: a configuration to use instead of ~/.ssh/config. */
  constructor(
    private readonly file = process.env.MUSTER_SSH_CONFIG,
    private readonly timeoutMs = QUERY_TIMEOUT_MS,
  ) {}

  /**
   * Returns the settings of one name; an empty map if ssh is not installed and the user has no configuration for it. Rejects with a
   * ConnectionError (CONFIG).
   */
  async resolve(name: HostAlias, where: NodeStep): Promise<HostSettings> {
    const found = await this.find(name);
    if ("settings" in found) return found.settings;
    const { reason, next = `try: ssh -G ${name.alias}` } = found;
    throw new ConnectionError("CONFIG", where, reason, { next });
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
    const requests = this.pending;
    this.pending = [];
    const size = Math.min(Math.max(Math.ceil(requests.length / MAX_SHELLS), MIN_NAMES_PER_SHELL), MAX_NAMES_PER_SHELL);
    for (let from = 0; from < requests.length; from += size) void this.query(requests.slice(from, from + size));
  }

  /** If ssh hangs for one name, only that name fails: the names after it are queried again. */
  private async query(requests: SettingsRequest[]): Promise<void> {
    let answered = 0;
    const names = requests.map(({ name }) => name);
    for await (const answer of querySshConfig(this.file, names, this.timeoutMs))
      requests[answered++]!.resolve(parseAnswer(answer, this.file));
    if (answered < requests.length) await this.query(requests.slice(answered));
  }
}

function parseAnswer({ exit, stdout, stderr }: SshConfigAnswer, file: string | undefined): SettingsResult {
  if (exit === 0) return { settings: parseSettings(stdout) };
  if (exit !== PROGRAM_NOT_FOUND)
    return { reason: `ssh rejects its configuration: ${stderr.trim() || `exit code ${exit}`}` };
  const config = file ?? join(userInfo().homedir, ".ssh/config");
  if (!existsSync(config)) return { settings: new Map() };
  // It may say which keys are revoked, or under which name a host key is known.
  return { reason: `ssh is not installed, and only ssh can read ${config}`, next: "install openssh-client" };
}

/** Names under which older versions of ssh print options. */
const OLD_NAMES: Record<string, string> = {
  pubkeyacceptedkeytypes: "pubkeyacceptedalgorithms",
  rsaminsize: "requiredrsasize",
};

/** Parses the output of `ssh -G`: each line is a lower-case key, a space and a value. A key may occur several times. */
export function parseSettings(text: string): HostSettings {
  const settings: HostSettings = new Map();
  for (const line of text.split("\n")) {
    const [, name, value] = /^(\S+) (.+)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    const key = OLD_NAMES[name] ?? name;
    settings.set(key, [...(settings.get(key) ?? []), value]);
  }
  return settings;
}
