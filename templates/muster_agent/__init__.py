"""The agent. A module imports, at run time, only from its own folder and from those after it in this list:

attach, clean, daemon   entry points: the process in the connection, the clean-up, the daemon and its event loop
following/              the logs of attempts, sent while they are written, without the daemon
commands, shutdown, settings
storage/                files in the run's folder: outbox, journal, and what is deleted
builds/                 builds of the project, and their results, which runs share
attempts/               slots, and the life of an attempt: start, logs, termination, outputs, result
state/                  what the attempts of a chunk hand on
workspace/              working copies of slots: staged files, projects, and how they are reset between attempts
gpu/                    GPUs: which are there, whether their memory is free, which run has them
connection/             the socket, attached coordinators, and which coordinator owns the run's folder
processes/              child processes, their descendants, scripts with a deadline, a worker thread
access/                 whether other users could interfere with a path or a socket
wakeup, paths, errors, wire    helpers
"""
