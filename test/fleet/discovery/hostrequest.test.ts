import { hostname } from "node:os";
import t from "tap";
import { isThisMachine, parseHostRequest } from "../../../fleet/discovery/hostrequest.js";

for (const [text, expected] of [
  ["rig1", { host: "rig1" }],
  ["me@rig1", { host: "rig1", user: "me" }],
  ["me@10.0.0.4:2222", { host: "10.0.0.4", user: "me", port: 2222 }],
  ["[fe80::1]:22", { host: "fe80::1", port: 22 }],
  ["[::1]", { host: "::1" }],
  ["me@fe80::1", { host: "fe80::1", user: "me" }],
] as const)
  t.same(parseHostRequest(text), expected, text);

for (const text of ["", "a b", "@rig", "rig:99999", "-oProxyCommand=x", "me@-x", "rig:port", "me@"])
  t.throws(() => parseHostRequest(text), { code: "USAGE" }, `refused: ${JSON.stringify(text)}`);

for (const host of ["localhost", "127.0.0.1", "::1", hostname()]) t.ok(isThisMachine({ host }), host);
t.notOk(isThisMachine({ host: "rig1" }));
t.notOk(isThisMachine({ host: hostname(), user: "me" }), "a log-in is asked for");
