import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import t from "tap";
import { Dialer } from "../../../fleet/connect.js";
import { findMachine } from "../../../fleet/healing/thismachine.js";
import { createNode } from "../nodes.js";

const dialer = new Dialer();
const find = (change: Parameters<typeof createNode>[0], boot?: string) => findMachine(createNode(change), dialer, boot);

t.test("this machine is known by its connection, its names, its addresses and its boot id", async (t) => {
  const here = { id: "this machine", isThisMachine: true };
  t.same(await find({ connection: "local", host: "localhost" }), here);
  for (const host of ["localhost", "127.0.0.1", "::1", hostname(), hostname().toUpperCase()])
    t.same(await find({ host }), here, host);
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  t.same(await find({ host: "127.1.2.3" }, boot), here, "an address that is not known to be its own");
});

t.test("other machines are told apart by their addresses", async (t) => {
  t.same(await find({ host: "127.1.2.3" }, "another"), { id: "127.1.2.3", isThisMachine: false });
  t.same(await find({ host: "nowhere.invalid" }), { id: "nowhere.invalid", isThisMachine: false });
});
