"""Runs numbered commands in a pool of Dask's workers on this machine, a subprocess a task.
dask_commands.py COUNT SLOTS FOLDER COMMAND: a shell runs COMMAND in FOLDER with the number as $1."""

# pyright: reportMissingImports=false
import subprocess
import sys


def main() -> int:
    from distributed import Client, LocalCluster, as_completed

    count, slots, folder, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]

    def compute(number: int) -> int:
        return subprocess.run(["/bin/sh", "-c", command, "sh", str(number)], cwd=folder).returncode

    # Threads wait for subprocesses; a process of Python for each slot would cost a machine with few cores more.
    with LocalCluster(n_workers=2, threads_per_worker=slots // 2, processes=True, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            futures = client.map(compute, range(count), pure=False)
            return max(code for _, code in as_completed(futures, with_results=True))


if __name__ == "__main__":
    sys.exit(main())
