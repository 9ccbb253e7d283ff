"""The same trials by futures of Dask on this machine. dask_trials.py TRIALS SLOTS. Prints each result: seconds since the epoch, loss."""

# pyright: reportMissingImports=false
import sys
import time

from evolution import Evolution, loss_of


def compute(params: "dict[str, float]") -> "tuple[float, dict[str, float]]":
    time.sleep(params["seconds"])
    return loss_of(params), params


def main() -> None:
    from distributed import Client, LocalCluster, as_completed

    trials, slots = int(sys.argv[1]), int(sys.argv[2])
    evolution = Evolution()
    # Threads, because the trials sleep: a process for each slot would take the processors that are measured.
    with LocalCluster(n_workers=2, threads_per_worker=slots // 2, processes=True, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            running = as_completed([client.submit(compute, evolution.suggest(), pure=False) for _ in range(slots)])
            for future in running:
                loss, params = future.result()
                evolution.record(loss, params)
                print("result %.3f %r" % (time.time(), loss), flush=True)
                if evolution.asked < trials:
                    running.add(client.submit(compute, evolution.suggest(), pure=False))


if __name__ == "__main__":
    main()
