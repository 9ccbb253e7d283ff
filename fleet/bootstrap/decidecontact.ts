import { ConnectionError, type UnknownHostKey } from "../connectionerror.js";
import { takesPasswords } from "../ssh/loginerrors.js";

/** With what a machine has been logged in to. */
export type LoginAttempt = { with: "our keys" } | { with: "given key" } | { with: "password"; tries: number };

/** What to do after a log-in has failed. */
export type ContactDecision =
  | { kind: "confirm host key"; key: UnknownHostKey }
  | { kind: "use given key" }
  | { kind: "ask for password" }
  | { kind: "give up" };

const MAX_PASSWORD_TRIES = 3;

/** Decides what to do after a log-in at a first contact has failed. Pure. */
export function decideContact(error: unknown, attempt: LoginAttempt, hasGivenKey: boolean): ContactDecision {
  if (!(error instanceof ConnectionError)) return { kind: "give up" };
  if (error.unknownKey !== undefined) return { kind: "confirm host key", key: error.unknownKey };
  switch (attempt.with) {
    case "our keys":
      if (error.code !== "AUTH" && error.code !== "UNSUPPORTED_KEY") return { kind: "give up" };
      if (hasGivenKey) return { kind: "use given key" };
      return takesPasswords(error.offeredMethods ?? []) ? { kind: "ask for password" } : { kind: "give up" };
    case "given key":
      return { kind: "give up" };
    case "password":
      return error.code === "PASSWORD" && attempt.tries < MAX_PASSWORD_TRIES
        ? { kind: "ask for password" }
        : { kind: "give up" };
    default:
      return attempt satisfies never;
  }
}
