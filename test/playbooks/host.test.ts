import t from "tap";
import { diffHost, noteRunsLeft } from "../../playbooks/host.js";

const NOW = 1_800_000_000;
const well = { at: "/root", writable: "yes", free: "5000000000", now: `${NOW + 3}` };
const answer = (change: Record<string, string>) =>
  Object.entries({ ...well, ...change })
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");

t.test("problems that prevent chunks from running and wrong clocks are reported", async (t) => {
  const table: [change: Record<string, string>, found: string[]][] = [
    [{}, []],
    [{ free: "" }, []],
    [{ writable: "" }, ["/root is not writable"]],
    [{ noexec: "yes" }, ["/root is mounted noexec"]],
    [{ free: "104857600" }, ["100 MiB free"]],
    [{ now: `${NOW + 86_400}` }, ["86400 s ahead"]],
    [{ now: `${NOW - 120}` }, ["120 s behind"]],
    [{ at: "" }, ["it cannot be checked"]],
  ];
  for (const [change, found] of table) {
    const have = diffHost("~/.muster", answer(change), NOW).map((one) => one.have);
    t.same(have, found, JSON.stringify(change));
  }
});

t.test("runs with files on the node are listed, up to a limit", async (t) => {
  t.same(noteRunsLeft("~/.muster", answer({})), []);
  const many = Array.from({ length: 8 }, (_, n) => `run=sieve-${n}\n`).join("");
  t.match(noteRunsLeft("~/.muster", many), [/^~\/\.muster\/runs holds sieve-0, .*sieve-4 and 3 more: /]);
});
