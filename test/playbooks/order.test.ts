import t from "tap";
import { findPlaybookBlocker } from "../../playbooks/engine/blockplaybook.js";
import { decideReboot, joinPasses, refuseReboot } from "../../playbooks/engine/decidereboot.js";
import { decideHandler, type Notifier } from "../../playbooks/engine/handlerdecision.js";
import { listIncluded, orderPlaybooks } from "../../playbooks/engine/orderplaybooks.js";
import { planResources } from "../../playbooks/engine/planresources.js";
import type { PlaybookContext, Resource, ResourceState, Verdict } from "../../playbooks/engine/resource.js";
import { nameTest } from "./testnode.js";

t.test("playbooks follow what they need, and stay where they were named otherwise", async (t) => {
  const needsOf = new Map<string, string[]>([
    ["rocm", ["packages", "groups"]],
    ["groups", ["packages"]],
    ["work", ["rocm"]],
    ["selfish", ["selfish"]],
    ["hen", ["egg"]],
    ["egg", ["nest", "hen"]],
  ]);
  const table: [string[], string][] = [
    [[], ""],
    [["ramdisk", "power"], "ramdisk power"],
    [["ramdisk", "ramdisk"], "ramdisk"],
    [["rocm"], "packages groups rocm"],
    [["rocm", "packages"], "packages groups rocm"],
    [["ramdisk", "work", "groups"], "ramdisk packages groups rocm work"],
    [["groups", "ramdisk", "packages"], "packages groups ramdisk"],
    [["selfish"], "cycle: selfish selfish"],
    [["ramdisk", "hen"], "cycle: hen egg hen"],
    [["egg"], "cycle: egg hen egg"],
  ];
  for (const [requested, expected] of table) {
    const found = orderPlaybooks(requested, needsOf);
    t.equal(
      "order" in found ? found.order.join(" ") : `cycle: ${found.cycle.join(" ")}`,
      expected,
      requested.join(" "),
    );
  }
  t.same(listIncluded(["work", "groups"], ["packages", "groups", "rocm", "work"], needsOf), [
    { name: "packages", neededBy: "groups" },
    { name: "rocm", neededBy: "work" },
  ]);
});

t.test("a playbook does not run where one that it needs has failed", async (t) => {
  const verdict = (playbook: string, state: ResourceState, resource = "r") => ({ playbook, resource, state });
  const table: [string[], ReturnType<typeof verdict>[], string | undefined, string | undefined][] = [
    [["a"], [], undefined, undefined],
    [["a"], [verdict("a", "ok"), verdict("a", "changed"), verdict("a", "drift")], undefined, undefined],
    [["a"], [verdict("b", "failed")], undefined, undefined],
    [["a"], [verdict("a", "failed")], "it needs a, where r has failed", "it needs a, where r has failed"],
    [["a"], [verdict("a", "blocked", "playbook a")], "it needs a, which is blocked", "it needs a, which is blocked"],
    [[], [verdict("a", "needs reboot")], undefined, "it runs after the reboot that r needs"],
  ];
  for (const [needs, soFar, continuing, rebooting] of table) {
    t.equal(findPlaybookBlocker({ needs }, soFar, "continue"), continuing);
    t.equal(findPlaybookBlocker({ needs }, soFar, "reboot first"), rebooting);
  }
});

t.test("when a handler runs", async (t) => {
  const notifier = (resource: string, state: ResourceState, canChange = true): Notifier => ({
    resource,
    state,
    canChange,
  });
  const table: [string, string[], Notifier[], ReturnType<typeof decideHandler>][] = [
    ["nothing has changed", [], [notifier("a", "ok")], { do: "nothing" }],
    ["a change", ["a"], [notifier("a", "changed")], { do: "run", due: ["a"], coming: [] }],
    ["a change of an earlier provision", ["a"], [notifier("a", "ok")], { do: "run", due: ["a"], coming: [] }],
    ["a resource that is no longer there", ["a"], [], { do: "run", due: ["a"], coming: [] }],
    [
      "a change before a failure",
      ["a", "b"],
      [notifier("a", "changed"), notifier("b", "failed")],
      {
        do: "run",
        due: ["a"],
        coming: [],
      },
    ],
    ["only a failed change", ["b"], [notifier("b", "failed")], { do: "wait", until: "b" }],
    ["verify", [], [notifier("a", "drift"), notifier("b", "ok")], { do: "run", due: [], coming: ["a"] }],
    ["drift that is only reported", [], [notifier("a", "drift", false)], { do: "nothing" }],
  ];
  for (const [name, marked, notifiers, expected] of table) t.same(decideHandler(marked, notifiers), expected, name);
});

t.test("when a node is rebooted, and what is shown after it", async (t) => {
  const verdict = (resource: string, state: ResourceState): Verdict => {
    const differences = state === "ok" ? [] : [{ what: resource, have: "a", want: "b" }];
    return { playbook: "p", resource, state, differences, notes: [] };
  };
  const table: [ResourceState[], string[], ReturnType<typeof decideReboot>][] = [
    [["ok", "changed", "drift"], [], { do: "nothing" }],
    [["failed"], [], { do: "nothing" }],
    [["changed", "needs reboot", "blocked"], [], { do: "reboot", resources: ["r1"] }],
    [["needs reboot", "needs reboot"], ["r7"], { do: "reboot", resources: ["r0", "r1"] }],
    [["needs reboot", "failed"], [], { do: "refuse", why: "it is not rebooted, because r1 has failed" }],
    [["ok", "needs reboot"], ["r1"], { do: "give up", resources: ["r1"] }],
  ];
  for (const [states, rebootedFor, expected] of table) {
    const verdicts = states.map((state, index) => verdict(`r${index}`, state));
    t.same(decideReboot(verdicts, new Set(rebootedFor)), expected, states.join(" "));
  }
  const inspect = (...verdicts: Verdict[]) => ({ verdicts, fingerprint: "1" });
  const refused = refuseReboot(inspect(verdict("a", "ok"), verdict("b", "needs reboot")), "why", "next");
  t.match(refused.verdicts, [{ state: "ok" }, { state: "failed", reason: "why", next: "next" }]);
  const joined = joinPasses(
    inspect(verdict("a", "changed"), verdict("b", "needs reboot"), verdict("c", "ok")),
    inspect(verdict("a", "ok"), verdict("b", "ok"), verdict("c", "ok"), verdict("d", "failed")),
  );
  t.match(joined.verdicts, [
    { state: "changed", differences: [{ what: "a" }] },
    { state: "changed", differences: [{ what: "b" }] },
    { state: "ok" },
    { state: "failed" },
  ]);
});

t.test("a plan refuses handlers and an order that cannot be", async (t) => {
  const resource = (name: string, more: Partial<Resource> = {}): Resource => ({
    name,
    probe: { ask: "file", path: "/", cap: 0 },
    diff: () => [],
    ...more,
  });
  const refusal = async (...resources: Resource[]) => {
    const playbook = { ...nameTest(() => resources), handlers: { "restart sshd": () => undefined } };
    const [plan] = await planResources({} as PlaybookContext, [playbook]);
    return [plan!.resources.length, plan!.error?.message, plan!.error?.next];
  };
  t.same(await refusal(resource("a", { notify: ["restart sshd"] }), resource("b", { after: ["a"] })), [
    2,
    undefined,
    undefined,
  ]);
  t.same(await refusal(resource("a"), resource("b", { notify: "restart ssh" })), [
    1,
    'the resource "b" notifies "restart ssh", which is no handler',
    'did you mean "restart sshd"?',
  ]);
  t.match(await refusal(resource("a", { after: ["b"] }), resource("b")), [
    1,
    'the resource "a" is to be after "b", which is yielded later',
    /yield that one first/,
  ]);
});
