import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deviceFolder } from "./fakegpus.js";
import type { LabNode } from "./labnode.js";

const TICK_MS = 10;
const LEVELS = { pp_dpm_sclk: [500, 700, 2750], pp_dpm_mclk: [96, 875] } as const;
const OVERDRIVE = "pp_od_clk_voltage";

/** Does with the clock files of a node's AMD cards what the kernel does: takes commands that are written to them, and shows their effect. */
export class AmdDriver {
  private readonly timer = setInterval(() => this.run(), TICK_MS);
  /** Every command that a card took. */
  readonly commands: string[] = [];

  constructor(
    private readonly node: LabNode,
    private readonly count: number,
  ) {}

  stop(): void {
    clearInterval(this.timer);
  }

  private run(): void {
    for (let index = 0; index < this.count; index++) {
      const folder = join(this.node.root, deviceFolder(index));
      if (!existsSync(join(folder, OVERDRIVE))) continue;
      this.commitOverdrive(folder);
      for (const [file, clocks] of Object.entries(LEVELS)) this.forceLevel(folder, file, clocks);
    }
  }

  /** The kernel takes clocks at the level `manual` only. Call it once a command was seen, because the level is written before. */
  private requireManual(folder: string, file: string): void {
    const level = readFileSync(join(folder, "power_dpm_force_performance_level"), "utf8").trim();
    if (level !== "manual") throw new Error(`${folder}/${file}: EINVAL at level ${level}`);
  }

  /** `c` is the last of several commands. */
  private commitOverdrive(folder: string): void {
    const file = join(folder, OVERDRIVE);
    const commands = readFileSync(file, "utf8").split("\n");
    if (!commands.includes("c")) return;
    this.requireManual(folder, OVERDRIVE);
    const bounds: Record<string, string> = { "s 0": "500", "s 1": "2750", "m 0": "97", "m 1": "875" };
    for (const [, place, mhz] of commands.flatMap((one) => [/^([sm] [01]) (\d+)$/.exec(one) ?? []]))
      if (place !== undefined) bounds[place] = mhz!;
    this.commands.push(...commands.filter((one) => one !== ""));
    const sclk = `OD_SCLK:\n0: ${bounds["s 0"]}Mhz\n1: ${bounds["s 1"]}Mhz\n`;
    const mclk = `OD_MCLK:\n0: ${bounds["m 0"]}Mhz\n1: ${bounds["m 1"]}MHz\n`;
    writeFileSync(file, `${sclk}${mclk}OD_RANGE:\nSCLK: 500Mhz 2800Mhz\nMCLK: 674Mhz 1075Mhz\n`);
  }

  private forceLevel(folder: string, file: string, clocks: readonly number[]): void {
    const written = /^(\d)\n$/.exec(readFileSync(join(folder, file), "utf8"))?.[1];
    if (written === undefined) return;
    this.requireManual(folder, file);
    const rows = clocks.map((mhz, index) => `${index}: ${mhz}Mhz${index === Number(written) ? " *" : ""}`);
    writeFileSync(join(folder, file), `${rows.join("\n")}\n`);
  }
}
