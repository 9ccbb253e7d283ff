import ssh2, { type IdentityCallback, type ParsedKey, type SignCallback, type SigningRequestOptions } from "ssh2";

const AGENT_TIMEOUT_MS = 5000;

/** Lists the keys that the agent at `socket` holds. Rejects with an Error if the agent fails or does not answer within 5 s. */
export function listAgentKeys(socket: string): Promise<ParsedKey[]> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no answer within 5 s")), AGENT_TIMEOUT_MS);
    new ssh2.OpenSSHAgent(socket).getIdentities((error, keys) => {
      clearTimeout(timer);
      if (error) reject(error);
      else resolve((keys ?? []) as ParsedKey[]);
    });
  });
}

/**
 * An agent that offers only the given keys, and makes SHA-1 signatures only where those are allowed: each offered key counts as a log-in
 * attempt, and servers allow few.
 */
export class FilteredAgent extends ssh2.BaseAgent<ParsedKey> {
  private readonly agent: InstanceType<typeof ssh2.OpenSSHAgent>;

  constructor(
    socket: string,
    private readonly keys: ParsedKey[],
    private readonly allowsSha1: (key: ParsedKey) => boolean,
  ) {
    super();
    this.agent = new ssh2.OpenSSHAgent(socket);
  }

  override getIdentities(done: IdentityCallback<ParsedKey>): void {
    done(undefined, this.keys);
  }

  override sign(
    key: ParsedKey,
    data: Buffer,
    options: SigningRequestOptions | SignCallback,
    done?: SignCallback,
  ): void {
    if (typeof options === "function") this.agent.sign(key, data, options);
    else if (options.hash === "sha1" && !this.allowsSha1(key)) done?.(new Error("SHA-1 signatures are not allowed"));
    else this.agent.sign(key, data, options, done);
  }
}
