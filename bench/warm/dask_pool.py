"""The same chunks in a pool of Dask's workers on this machine: dask_pool.py CHUNKS SLOTS FOLDER. Prints the seconds from the start of the
pool to its last result."""
# pyright: reportMissingImports=false
import os
import sys
import time
from typing import List

LOAD_SECONDS, CHUNK_SECONDS = 3.0, 0.5
loaded: List[bool] = []


def compute(number: int) -> str:
    if not loaded:
        time.sleep(LOAD_SECONDS)
        loaded.append(True)
    time.sleep(CHUNK_SECONDS)
    return str(number)


def main() -> None:
    from distributed import Client, LocalCluster, as_completed

    count, slots, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    with LocalCluster(n_workers=slots, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            client.wait_for_workers(slots)
            futures = client.map(compute, range(count), pure=False)
            for _, text in as_completed(futures, with_results=True):
                with open(os.path.join(folder, text), "w") as file:
                    file.write(text)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(__file__))
    import dask_pool  # so that the workers find `compute`

    dask_pool.main()
