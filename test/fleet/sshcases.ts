import type { ConnectionErrorCode } from "../../fleet/connectionerror.js";

/**
 * A configuration, and the known_hosts that it meets. In all texts, `{KEY}` is the host key of the machine, `{OTHER}` and `{RSA}` are
 * other keys, `{AT}` is its name in known_hosts, and `{DIR}` the folder of the case; see sshcomparison.test.ts.
 */
export interface SshCase {
  what: string;
  config?: string;
  known: string;
  /** What muster does: it connects, or fails with this code. */
  result: "connects" | ConnectionErrorCode;
  /** ssh connects where muster, on purpose, does not. */
  isStricter?: true;
  /** What both append to known_hosts. */
  records?: string;
  /** Further files of the case, by name. */
  files?: Record<string, string>;
}

export const NEW = "StrictHostKeyChecking accept-new";
const ALIAS = `HostKeyAlias Foo-Key\n${NEW}`;

/** What entries of known_hosts mean. */
export const hostKeyCases: SshCase[] = [
  { what: "nothing known, strict", known: "", result: "HOST_KEY_UNKNOWN" },
  { what: "nothing known, accept-new", config: NEW, known: "", result: "connects", records: "{AT} {KEY}" },
  {
    what: "nothing known, no",
    config: "StrictHostKeyChecking no",
    known: "",
    result: "connects",
    records: "{AT} {KEY}",
  },
  {
    what: "nothing known, ask",
    config: "StrictHostKeyChecking ask",
    known: "",
    result: "HOST_KEY_UNKNOWN",
  },
  {
    what: "nothing known, yes",
    config: "StrictHostKeyChecking yes",
    known: "",
    result: "HOST_KEY_UNKNOWN",
  },
  { what: "the key at the port", known: "{AT} {KEY}", result: "connects" },
  { what: "the key for the bare name", known: "{HOST} {KEY}", result: "connects" },
  { what: "another key at the port", config: NEW, known: "{AT} {OTHER}", result: "HOST_KEY_CHANGED" },
  {
    what: "another key at the port, under StrictHostKeyChecking no",
    config: "StrictHostKeyChecking no",
    known: "{AT} {OTHER}",
    result: "HOST_KEY_CHANGED",
    isStricter: true,
  },
  {
    what: "another key at the port, the key for the bare name",
    config: NEW,
    known: "{AT} {OTHER}\n{HOST} {KEY}",
    result: "HOST_KEY_CHANGED",
  },
  {
    what: "another key for the bare name",
    config: NEW,
    known: "{HOST} {OTHER}",
    result: "connects",
    records: "{AT} {KEY}",
  },
  { what: "a key of another type", config: NEW, known: "{AT} {RSA}", result: "HOST_KEY_CHANGED" },
  { what: "two keys of one type", known: "{AT} {OTHER}\n{AT} {KEY}", result: "connects" },
  { what: "a wildcard", known: "[127.*]:{PORT} {KEY}", result: "connects" },
  { what: "a wildcard for the bare name", known: "127.* {KEY}", result: "connects" },
  { what: "a negation", config: NEW, known: "[127.*]:{PORT},!{AT} {KEY}", result: "connects", records: "{AT} {KEY}" },
  {
    what: "a negation that matches, strict",
    known: "!{AT},[127.*]:{PORT} {KEY}",
    result: "HOST_KEY_UNKNOWN",
  },
  {
    what: "revoked at the port",
    config: NEW,
    known: "@revoked {AT} {KEY}\n{AT} {KEY}",
    result: "HOST_KEY_REVOKED",
  },
  {
    what: "revoked for the bare name",
    config: NEW,
    known: "@revoked {HOST} {KEY}",
    result: "HOST_KEY_REVOKED",
    isStricter: true,
  },
  {
    what: "revoked everywhere",
    config: NEW,
    known: "@revoked * {KEY}\n{AT} {KEY}",
    result: "HOST_KEY_REVOKED",
  },
  {
    what: "revoked for the bare name, listed at the port",
    config: NEW,
    known: "@revoked {HOST} {KEY}\n{AT} {KEY}",
    result: "HOST_KEY_REVOKED",
    isStricter: true,
  },
  { what: "another key revoked", known: "@revoked * {OTHER}\n{AT} {KEY}", result: "connects" },
  { what: "an authority only", known: "@cert-authority * {KEY}", result: "HOST_KEY_UNKNOWN" },
  {
    what: "an authority only, accept-new",
    config: NEW,
    known: "@cert-authority * {OTHER}",
    result: "connects",
    records: "{AT} {KEY}",
  },
  {
    what: "an alias with another key",
    config: ALIAS,
    known: "foo-key {OTHER}",
    result: "HOST_KEY_CHANGED",
  },
  { what: "an alias with the key", config: ALIAS, known: "foo-key {KEY}", result: "connects" },
  { what: "an alias with the key in capitals", config: ALIAS, known: "FOO-KEY {KEY}", result: "connects" },
  { what: "an alias, unknown", config: ALIAS, known: "", result: "connects", records: "foo-key {KEY}" },
  { what: "an alias, hashed", config: `${ALIAS}\nHashKnownHosts yes`, known: "", result: "connects", records: "|1|" },
  {
    what: "an alias with a port",
    config: ALIAS,
    known: "[foo-key]:{PORT} {OTHER}",
    result: "connects",
    records: "foo-key {KEY}",
  },
  {
    what: "an alias with the key at a port",
    config: "HostKeyAlias foo-key",
    known: "[foo-key]:{PORT} {KEY}",
    result: "HOST_KEY_UNKNOWN",
  },
  {
    what: "an alias, and the key by address",
    config: "HostKeyAlias foo-key",
    known: "{AT} {KEY}\n{HOST} {KEY}",
    result: "HOST_KEY_UNKNOWN",
  },
  {
    what: "an alias that is revoked",
    config: ALIAS,
    known: "@revoked foo-key {KEY}",
    result: "HOST_KEY_REVOKED",
  },
  {
    what: "an alias, another key by address",
    config: "HostKeyAlias foo-key",
    known: "{AT} {OTHER}\nfoo-key {KEY}",
    result: "connects",
  },
  {
    what: "loopback without authentication",
    config: "NoHostAuthenticationForLocalhost yes",
    known: "{AT} {OTHER}",
    result: "HOST_KEY_CHANGED",
    isStricter: true,
  },
  { what: "a hashed name", known: "{HASH} {KEY}", result: "connects" },
  { what: "a hashed name with another key", config: NEW, known: "{HASH} {OTHER}", result: "HOST_KEY_CHANGED" },
  { what: "a hashed name that is revoked", config: NEW, known: "@revoked {HASH} {KEY}", result: "HOST_KEY_REVOKED" },
  { what: "a list of names", known: "other,{AT},third {KEY}", result: "connects" },
  { what: "a line with tabs, a comment and CRLF", known: "  {AT}\t{KEY}\tof the rig\r", result: "connects" },
  { what: "a question mark", known: "[127.0.?.1]:{PORT} {KEY}", result: "connects" },
  { what: "a comment", known: "# {AT} {KEY}", result: "HOST_KEY_UNKNOWN" },
  { what: "an unknown marker", known: "@trusted {AT} {KEY}", result: "HOST_KEY_UNKNOWN" },
  { what: "a key that is cut off", known: "{AT} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", result: "HOST_KEY_UNKNOWN" },
  {
    what: "a key that is cut off, accept-new",
    config: NEW,
    known: "{AT} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5",
    result: "connects",
    records: "{AT} {KEY}",
  },
  { what: "a blank in a list of names", known: "other, {AT} {KEY}", result: "HOST_KEY_UNKNOWN" },
];
