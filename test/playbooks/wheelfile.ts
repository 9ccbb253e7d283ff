import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";

/** A pure Python package of a test. */
export interface WheelOptions {
  name: string;
  version: string;
  /** The content of its only module; default: `VERSION = ...`. */
  source?: string;
  requires?: string[];
}

/** A wheel is a zip archive with metadata (PEP 427). */
const BUILDER = `
import base64, hashlib, json, sys, zipfile
folder, name, version, source, requires = json.loads(sys.argv[1])
info = "%s-%s.dist-info" % (name, version)
metadata = "Metadata-Version: 2.1\\nName: %s\\nVersion: %s\\n" % (name, version)
files = {
    name + ".py": source,
    info + "/METADATA": metadata + "".join("Requires-Dist: %s\\n" % one for one in requires),
    info + "/WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
}
def line(path, text):
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    return "%s,sha256=%s,%d\\n" % (path, digest, len(text.encode()))
record = "".join(line(*item) for item in files.items()) + info + "/RECORD,,\\n"
with zipfile.ZipFile("%s/%s-%s-py3-none-any.whl" % (folder, name, version), "w") as wheel:
    for path, text in files.items():
        wheel.writestr(path, text)
    wheel.writestr(info + "/RECORD", record)
`;

/** Writes a wheel into a folder, which is created if it is missing. */
export function writeWheel(folder: string, { name, version, source, requires = [] }: WheelOptions): void {
  mkdirSync(folder, { recursive: true });
  const content = source ?? `VERSION = ${JSON.stringify(version)}\n`;
  execFileSync("python3", ["-c", BUILDER, JSON.stringify([folder, name, version, content, requires])]);
}

/** Why environments cannot be made on this machine; false where they can. */
export function lackingVenv(): string | false {
  try {
    execFileSync("/usr/bin/python3", ["-c", "import venv, ensurepip"], { stdio: "pipe" });
    return false;
  } catch {
    return "needs Python's venv: apt-get install python3-venv";
  }
}
