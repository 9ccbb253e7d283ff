import { spawnSync } from "node:child_process";
import { Command } from "commander";
import t from "tap";
import { renderManualPage } from "../../cli/manpage.js";
import { buildProgram } from "../../cli/program.js";

const hasGroff = spawnSync("groff", ["--version"]).error === undefined;

t.test(
  "groff formats the manual page without a warning, and it has every command with its options",
  { skip: hasGroff ? false : "groff is not installed" },
  async (t) => {
    const program = buildProgram(() => {});
    const page = renderManualPage(program, "1.2.3");
    const { stdout, stderr, status } = spawnSync("groff", ["-man", "-Tascii", "-ww", "-P-cbou"], {
      input: page,
      encoding: "utf8",
    });
    t.same([status, stderr], [0, ""]);
    for (const command of program.commands) {
      t.match(stdout, `muster ${command.name()}`);
      for (const { long, hidden } of command.options) if (long !== undefined && !hidden) t.match(stdout, long);
    }
    t.match(stdout, /muster 1\.2\.3/);
  },
);

t.test("text that means something to roff stays text", async (t) => {
  const program = new Command("muster").description("x").addHelpText("after", "\n.so /etc/passwd\n'br \\fB a-b");
  const page = renderManualPage(program, "1");
  t.match(page, "\n\\&.so /etc/passwd\n\\&'br \\efB a\\-b\n");
});
