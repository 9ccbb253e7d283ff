import t from "tap";
import { DiskError, explainDiskError } from "../../../../executor/run/record/diskerror.js";
import { MusterError } from "../../../../schemas/errors.js";

t.test("system errors in the run directory are explained; all others are returned unchanged", async (t) => {
  const error = (code: string, path?: string) =>
    Object.assign(new Error(`${code}: what, write`), { code, path, syscall: "write" });
  t.match(explainDiskError("/run", error("ENOSPC")), {
    exitStatus: 3,
    message: "cannot write to the run directory /run: no space is left there",
  });
  t.match(explainDiskError("/run", error("EACCES", "/run/results/x")), {
    message: /\/run\/results\/x: permission denied/,
  });
  t.match(explainDiskError("/run", error("EXDEV")), { message: /EXDEV: what, write/ });
  const others = [error("ENOENT", "/elsewhere"), new TypeError("x is undefined"), new MusterError("HELD", "held")];
  for (const other of others) t.equal(explainDiskError("/run", other), other);
  t.ok(explainDiskError("/run", error("EIO")) instanceof DiskError);
});
