"""From an attempt that has ended to its `done`."""
import os

from .logs import close_logs
from .outputs import collect, hash_file
from .trouble import explain
from .wire import prose


class Results:
    """Looks at outputs and logs; what takes long is left to the helper."""

    def __init__(self, settings, ledger, logs, helper):
        self.settings, self.ledger, self.logs, self.helper = settings, ledger, logs, helper

    def conclude(self, ended):
        for attempt in ended:
            try:
                big = collect(attempt, self.settings.inline)
            except OSError as error:
                self.report(attempt, explain(error, "an output cannot be taken"))
                continue
            if big:
                self.hash_aside(attempt, big)
            else:
                self.report(attempt)

    def hash_aside(self, attempt, big):
        def then(result):
            failed = isinstance(result, OSError)
            for (path, fd), measured in zip(big, [] if failed else result):
                attempt.outputs.append({"path": path, "size": measured[0], "sha256": measured[1]})
            for _, fd in big:
                os.close(fd)
            self.report(attempt, explain(result, "an output could not be read") if failed else None)

        self.helper.submit(lambda: [hash_file(fd) for _, fd in big], then)

    def report(self, attempt, error=None):
        message = attempt.done(error)
        self.logs.cap(attempt)
        try:
            self.logs.report(attempt, message)
        except OSError as problem:
            message.setdefault("error", prose(explain(problem, "the logs could not be read")))
        close_logs(attempt)
        self.ledger.keep(attempt, message)
