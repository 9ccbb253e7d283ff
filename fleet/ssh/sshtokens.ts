import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { ConnectionError, type NodeStep } from "../connectionerror.js";

/** What the tokens of ssh_config(5) stand for. */
export interface TokenValues {
  /** The name as it was given, before HostName. */
  alias: string;
  host: string;
  port: number;
  user: string;
  hostKeyAlias?: string;
  /** The content of ProxyJump. */
  jump?: string;
}

/**
 * Expands a path as ssh does: first `~`, which is the home folder of the user's account, then tokens and `${NAME}` of the environment.
 * `option` is named in errors. Throws a ConnectionError (CONFIG) for what ssh rejects (an unknown token, an unset variable) and for what
 * muster does not expand (`~user`, `%C`).
 */
export function expandPath(option: string, path: string, values: TokenValues, where: NodeStep): string {
  return expandHomeOfAccount(option, path, where).replace(/%(.?)|\$\{([^}]*)\}/gs, (token, letter, variable) => {
    const value = variable === undefined ? expandToken(letter, values) : process.env[variable];
    if (value !== undefined) return value;
    const reason = variable === undefined ? `the token ${token}` : `${token}, which the environment does not set`;
    throw new ConnectionError("CONFIG", where, `${option} ${path} holds ${reason}`, {
      next: `write the path out in ${option}`,
    });
  });
}

/** Expands the tokens of ProxyCommand, which are fewer than those of a path. Throws a ConnectionError (CONFIG) for others, as ssh does. */
export function expandProxyCommand(command: string, values: TokenValues, where: NodeStep): string {
  return command.replace(/%(.?)/gs, (token, letter) => {
    const value = "%hknpr".includes(letter) && letter !== "" ? expandToken(letter, values) : undefined;
    if (value !== undefined) return value;
    throw new ConnectionError("CONFIG", where, `ProxyCommand ${command} holds the token ${token}`, {
      next: "use %h, %k, %n, %p and %r only, and write %% for a percent sign",
    });
  });
}

/** Expands a leading `~`. ssh takes the folder from the user's account, whatever $HOME is. */
export function expandHomeOfAccount(option: string, path: string, where: NodeStep): string {
  if (!path.startsWith("~")) return path;
  if (path === "~" || path.startsWith("~/")) return join(userInfo().homedir, path.slice(1));
  throw new ConnectionError("CONFIG", where, `${option} ${path} names another user's home folder`, {
    next: `write the path out in ${option}`,
  });
}

function expandToken(letter: string, values: TokenValues): string | undefined {
  switch (letter) {
    case "%":
      return "%";
    case "d":
      return userInfo().homedir;
    case "h":
      return values.host;
    case "i":
      return String(userInfo().uid);
    case "j":
      return values.jump ?? "";
    case "k":
      return values.hostKeyAlias ?? values.alias;
    case "L":
      return hostname().split(".", 1)[0];
    case "l":
      return hostname();
    case "n":
      return values.alias;
    case "p":
      return String(values.port);
    case "r":
      return values.user;
    case "u":
      return userInfo().username;
    default:
      return undefined;
  }
}
