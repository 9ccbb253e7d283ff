import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { findProgram } from "../lab/requirements.js";
import { runMuster, TestFolder } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());
mkdirSync(join(shop.folder, "runs/sieve"), { recursive: true });
mkdirSync(join(shop.folder, "runs/trials"));

/** What was typed so far (the last word is completed), and what is offered, in part. */
const CASES: [typed: string[], offered: string[], notOffered: string[]][] = [
  [["r"], ["run", "report"], ["status"]],
  [["run", "--ov"], ["--overwrite", "--overlap"], ["--out"]],
  [["exec", "--st"], ["--stream", "--stdin"], ["--overwrite"]],
  [["status", ""], ["sieve", "trials"], []],
  [["logs", "s"], ["sieve"], ["trials"]],
];
const missing = (shell: string) => (findProgram(shell) === undefined ? `${shell} is not installed` : false);

async function writeScript(shell: string): Promise<string> {
  const { code, out } = await runMuster(["completion", shell]);
  t.equal(code, 0);
  return shop.write(`completion.${shell}`, out);
}

async function checkCases(offer: (typed: string[]) => string[]): Promise<void> {
  for (const [typed, offered, notOffered] of CASES) {
    const found = offer(typed);
    for (const word of offered) t.ok(found.includes(word), `${typed.join(" ")}: ${word} in ${found.join(" ")}`);
    for (const word of notOffered) t.notOk(found.includes(word), `${typed.join(" ")}: ${word}`);
  }
}

t.test("bash", async () => {
  const script = await writeScript("bash");
  const program = `source "$1"; shift; COMP_WORDS=(muster "$@"); COMP_CWORD=$#; _muster; printf '%s\\n' "\${COMPREPLY[@]}"`;
  await checkCases((typed) =>
    execFileSync("bash", ["-c", program, "bash", script, ...typed], { cwd: shop.folder, encoding: "utf8" }).split("\n"),
  );
});

t.test("fish", { skip: missing("fish") }, async () => {
  const script = await writeScript("fish");
  const env = { ...process.env, HOME: shop.folder };
  await checkCases((typed) => {
    const line = ["muster", ...typed].join(" ");
    const offered = execFileSync("fish", ["--no-config", "-c", `source ${script}; complete -C '${line}'`], {
      cwd: shop.folder,
      env,
      encoding: "utf8",
    });
    return offered.split("\n").map((row) => row.split("\t")[0]!);
  });
});

t.test("zsh reads its script", { skip: missing("zsh") }, async (t) => {
  execFileSync("zsh", ["-n", await writeScript("zsh")]);
  t.pass("there is no syntax error");
});

t.test("an unknown shell", async (t) => {
  t.match(await runMuster(["completion", "tcsh"]), { code: 64, err: /no completion for tcsh\n.*bash, zsh, fish/ });
});
