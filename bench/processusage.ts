import { spawn } from "node:child_process";

export interface ProcessUsage {
  seconds: number;
  /** CPU time of all its threads. */
  processorSeconds: number;
  /** The peak resident memory of its largest process. */
  peakBytes: number;
  code: number;
  /** Seconds until `until` held. */
  untilSeconds?: number;
}

/** Runs its arguments and prints the resource usage that the kernel reports at the end. */
const MEASURE = `
import resource, signal, subprocess, sys, time
began = time.monotonic()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
signal.signal(signal.SIGINT, lambda *_: child.send_signal(signal.SIGINT))
code = child.wait()
seconds = time.monotonic() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)
`;

/** Runs a program to its end, or interrupts it once `until` holds. */
export function measureProcess(argv: string[], until?: () => boolean): Promise<ProcessUsage> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const passed = () => (performance.now() - started) / 1000;
    const child = spawn("python3", ["-c", MEASURE, ...argv], { stdio: ["ignore", "pipe", "inherit"] });
    let untilSeconds: number | undefined;
    let said = "";
    const look = setInterval(() => {
      if (until === undefined || untilSeconds !== undefined || !until()) return;
      untilSeconds = passed();
      child.kill("SIGINT");
    }, 20);
    child.stdout.on("data", (bytes) => {
      said += bytes;
    });
    child.once("error", reject);
    child.once("close", () => {
      clearInterval(look);
      const [code, seconds, processorSeconds, peakBytes] = said.split(" ").map(Number) as [
        number,
        number,
        number,
        number,
      ];
      resolve({ seconds, processorSeconds, peakBytes, code, untilSeconds });
    });
  });
}
