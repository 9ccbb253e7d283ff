import t from "tap";
import { readRequirements } from "../../../playbooks/pythonenv/requirements.js";
import { InvalidFileError } from "../../../schemas/errors.js";
import { TestFolder } from "../../cli/startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

/** The problems of a file as `line: message`. */
function faultsOf(text: string, isOffline = false): string[] {
  const file = shop.write("faulty.txt", text);
  try {
    readRequirements(file, isOffline);
    return [];
  } catch (error) {
    if (!(error instanceof InvalidFileError)) throw error;
    return error.problems.map(({ line, message }) => `${line}: ${message}`);
  }
}

t.test("included files become one; hashes and options are no part of what is compared", async (t) => {
  const file = shop.write(
    "a/requirements.txt",
    "# ours\n--index-url https://pip.invalid/simple\nnumpy==1.26.4 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb  # twice\n" +
      "-r more/other.txt\r\n-c limits.txt\ntorch>=2 ; python_version >= '3.9'\npkg @ https://example.invalid/p.whl#sha256=aa\n",
  );
  shop.write("a/more/other.txt", "-rlast.txt\nscipy\n");
  shop.write("a/more/last.txt", "requests[socks] ~= 2.0");
  shop.write("a/limits.txt", "urllib3<2\n-r more/pins.txt\n");
  shop.write("a/more/pins.txt", "idna==3.7\n");
  const { text, constraints, wanted } = readRequirements(file, false);
  t.same(wanted, [
    "numpy==1.26.4",
    "requests[socks] ~= 2.0",
    "scipy",
    "torch>=2 ; python_version >= '3.9'",
    "pkg @ https://example.invalid/p.whl#sha256=aa",
  ]);
  t.equal(constraints, "urllib3<2\nidna==3.7\n");
  t.match(
    text,
    /^--index-url https:\/\/pip\.invalid\/simple\nnumpy==1\.26\.4 +--hash=sha256:aa +--hash=sha256:bb\nrequests/,
  );
});

t.test("what a node cannot install is named with its line", async (t) => {
  t.same(faultsOf("a==1\n-e .\n./local\nwheels/b.whl\nfile:///srv/c\nd @ file:///srv/d\n-f wheels\n"), [
    '2: "-e ." is on this machine only',
    '3: "./local" is a path on this machine',
    '4: "wheels/b.whl" is a path on this machine',
    '5: "file:///srv/c" is a path on this machine',
    '6: "d @ file:///srv/d" is a path on this machine',
    '7: "-f wheels" is on this machine only',
  ]);
  t.same(faultsOf("-r https://example.invalid/r.txt\n"), ["1: a file behind a URL cannot be included"]);
  t.same(faultsOf("-r faulty.txt\n"), ["1: includes itself, or files nest too deep"]);
  t.match(faultsOf("a\n-c nowhere.txt\n"), [/^2: .*nowhere\.txt cannot be read: ENOENT$/]);
  t.same(faultsOf("git+https://example.invalid/a.git@v1#egg=a\nb @ git+ssh://git@example.invalid/b\n"), []);
});

t.test("with a folder of wheels pip stays off the network", async (t) => {
  t.same(faultsOf("a\ngit+https://example.invalid/a.git\n", true), [
    '2: "git+https://example.invalid/a.git" is a URL, but `find_links` keeps pip off the network',
  ]);
  const file = shop.write("b.txt", "-i https://pip.invalid/simple\n--extra-index-url=https://x.invalid\n--pre\na==1\n");
  t.equal(readRequirements(file, true).text, "--pre\na==1\n");
});
