/**
 * What Slurm 22.05.8 printed in the lab (`startSlurm`, two compute nodes, no accounting), word by word. `sbatch` is given its script on stdin.
 * Each of `SBATCH_ERRORS` came on stderr, with nothing on stdout and exit code 1 unless the comment says otherwise.
 */
export const SBATCH_ERRORS = {
  /** `sbatch -p nosuch` */
  partition:
    "sbatch: error: invalid partition specified: nosuch\nsbatch: error: Batch job submission failed: Invalid partition name specified\n",
  /** `sbatch -A nosuch` where there is accounting (error code of the lab's job_submit.lua). Without accounting, any name is accepted. */
  account: "sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified\n",
  /** `sbatch -p short -t 10` with a MaxTime of 2 and EnforcePartLimits=ALL. By default it waits for ever, because of PartitionTimeLimit. */
  timeLimit:
    "sbatch: error: Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)\n",
  /** `sbatch --gres=gpu:5` with four cards a node; also `--gres=gpu:a100:1` where cards have no type */
  gresCount: "sbatch: error: Batch job submission failed: Requested node configuration is not available\n",
  /** `sbatch --gres=tpu:1` */
  gresName: "sbatch: error: Invalid generic resource (gres) specification\n",
  /** `sbatch -c 9` with 8 processors a node */
  cpus: "sbatch: error: CPU count per node can not be satisfied\nsbatch: error: Batch job submission failed: Requested node configuration is not available\n",
  /** `sbatch --mem=99G` */
  memory:
    "sbatch: error: Memory specification can not be satisfied\nsbatch: error: Batch job submission failed: Requested node configuration is not available\n",
  /** `sbatch -c 99` with 8 processors a node, and more than all nodes have */
  tooManyCpus: "sbatch: error: Batch job submission failed: More processors requested than permitted\n",
  /** `sbatch -C nosuch` */
  feature: "sbatch: error: Batch job submission failed: Invalid feature specification\n",
  /** `sbatch -w nosuch` */
  node: "sbatch: error: Batch job submission failed: Invalid node name specified\n",
  /** `sbatch --reservation=nosuch` */
  reservation: "sbatch: error: Batch job submission failed: Requested reservation is invalid\n",
  /** `sbatch --array=0-2000` with a MaxArraySize of 1001 */
  array: "sbatch: error: Batch job submission failed: Invalid job array specification\n",
  /** One job more than MaxSubmitJobs (as the lab's fakes/sbatch plays it). */
  submitLimit:
    "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)\n",
  /** `sbatch -t garbage`, exit code 255 */
  timeSyntax: "sbatch: error: Invalid --time specification\n",
  /** `sbatch --nosuchoption`, exit code 255 */
  option: "sbatch: unrecognized option '--nosuchoption'\nTry \"sbatch --help\" for more information\n",
  /** A script without `#!` */
  noInterpreter:
    "sbatch: error: This does not look like a batch script.  The first\nsbatch: error: line must start with #! followed by the path to an interpreter.\nsbatch: error: For instance: #!/bin/sh\n",
  /** A script of 5 MB: the limit is 4 MiB. */
  tooLong: "sbatch: error: Batch job submission failed: Pathname of a file, directory or other parameter too long\n",
  /** slurmctld was killed; after 9 s */
  controller: "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)\n",
  /** munged of the login node was killed; after about a minute */
  munge:
    'sbatch: error: If munged is up, restart with --num-threads=10\nsbatch: error: Munge encode failed: Failed to connect to "/run/munge/munge.socket.2": Connection refused\nsbatch: error: slurm_send_node_msg: auth_g_create: REQUEST_SUBMIT_BATCH_JOB has authentication error\nsbatch: error: Batch job submission failed: Protocol authentication error\n',
};

/** `sbatch --test-only`, on stderr; exit code 0 for those that start, else 1. It uses up a job id. */
export const TEST_ONLY = {
  starts: "sbatch: Job 4 to start at 2026-11-30T11:59:48 using 1 processors on nodes node2 in partition gpu\n",
  /** `--gres=gpu:2 -c4` */
  startsWide: "sbatch: Job 5 to start at 2026-11-30T11:59:48 using 4 processors on nodes node3 in partition gpu\n",
  /** All cards are taken by jobs without a time limit, of which some wait: no date that means anything. */
  startsNever: "sbatch: Job 6 to start at 3048-09-05T12:42:23 using 1 processors on nodes node2 in partition cheap\n",
  /** The only node that fits is drained or down; also `--gres=gpu:5`. */
  impossible: "allocation failure: Requested node configuration is not available\n",
  /** `--array=0-1000000` */
  array: "allocation failure: Invalid job array specification\n",
};

/** `squeue --me -h -o '%i|%j|%T|%r|%S|%L|%N'`: id, name, state, reason, start, time left, nodes. The columns are not padded. */
export const SQUEUE = {
  running: "1|a|RUNNING|None|2026-11-30T11:59:47|364-23:59:59|node2\n",
  /** Time left: INVALID from the time limit to the moment at which Slurm sees that it has passed, up to 30 s later */
  overdue: "22|sbatch|RUNNING|None|2026-11-30T12:03:28|INVALID|node3\n",
  pending: [
    "13|sbatch|PENDING|Priority|N/A|UNLIMITED|\n",
    "15|sbatch|PENDING|PartitionNodeLimit|N/A|UNLIMITED|\n",
    "7|sbatch|PENDING|PartitionTimeLimit|N/A|10:00|\n",
    // The node that it asks for is drained; a reason can have a comma, a colon and blanks.
    "27|sbatch|PENDING|ReqNodeNotAvail, UnavailableNodes:node2|N/A|UNLIMITED|\n",
    // It was requeued after it was preempted, and waits for two minutes.
    "2|sbatch|PENDING|BeginTime|2026-11-30T12:13:24|UNLIMITED|\n",
    // Just submitted: not considered yet.
    "5|sbatch|PENDING|None|N/A|UNLIMITED|\n",
  ],
  /** slurmctld was killed: on stderr, exit code 1, after 18 s. `scancel` says the same with exit code 8 after 9 s. */
  controller: "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n",
  /** munged of the login node was killed: on stderr, exit code 1, after 98 s */
  munge:
    'squeue: error: If munged is up, restart with --num-threads=10\nsqueue: error: Munge encode failed: Failed to connect to "/run/munge/munge.socket.2": Connection refused\nsqueue: error: slurm_send_node_msg: auth_g_create: REQUEST_FED_INFO has authentication error\nsqueue: error: If munged is up, restart with --num-threads=10\nsqueue: error: Munge encode failed: Failed to connect to "/run/munge/munge.socket.2": Connection refused\nsqueue: error: slurm_send_node_msg: auth_g_create: REQUEST_JOB_USER_INFO has authentication error\nslurm_load_jobs error: Protocol authentication error\n',
  /** `squeue -h -j 99999` of a job that there is not: on stderr, exit code 1. With several ids, the unknown ones are left out, exit code 0. */
  unknownJob: "slurm_load_jobs error: Invalid job id specified\n",
};

/** `srun --jobid J --overlap -n1 --quiet ...` through SSH, on stderr. */
export const SRUN_ERRORS = {
  /** No such job, or it is over: exit code 1 */
  unknownJob: "srun: error: Unable to confirm allocation for job 999: Invalid job id specified\n",
  /** It waits: exit code 1 */
  pending: "srun: error: Unable to confirm allocation for job 3: Job is pending execution\n",
  /** slurmctld was killed: exit code 1 after 9 s */
  controller:
    "srun: error: Unable to confirm allocation for job 1: Unable to contact slurm controller (connect failure)\n",
  /** slurmd of the node was killed: exit code 233 after 11 s */
  nodeDaemon:
    "srun: error: Task launch for StepId=1.8 failed on node node2: Communication connection failure\nsrun: error: Application launch failed: Communication connection failure\n",
  /** The step ran when Slurm gave up the node (NODE_FAIL): exit code 0 (!) */
  nodeFailed: "srun: error: Node failure on node2\n",
  /** The step ran when its job was cancelled: exit code 137 */
  cancelled:
    "slurmstepd-node2: error: *** STEP 2.1 ON node2 CANCELLED AT 2026-11-30T12:00:23 ***\nTerminated\nsrun: error: node2: task 0: Killed\n",
  /** The step ran when its job was preempted: exit code 143 */
  preempted:
    "slurmstepd-node2: error: *** STEP 1.0 ON node2 CANCELLED AT 2026-11-30T12:11:18 DUE TO PREEMPTION ***\nsrun: error: node2: task 0: Terminated\n",
  /** The program is not there: exit code 2 */
  noProgram:
    "slurmstepd-node2: error: execve(): nosuchprogram: No such file or directory\nsrun: error: node2: task 0: Exited with exit code 2\n",
  /** The program ended with 7: exit code 7, also with --quiet */
  exited: "srun: error: node2: task 0: Exited with exit code 7\n",
};
