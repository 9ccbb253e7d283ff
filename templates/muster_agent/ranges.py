"""What a chunk's program has not begun of its range, where the program says so: $MUSTER_RANGE names a file of its attempt's
folder that holds "next end", two integers. The program makes it, and takes units [next, x) by writing x there before it begins
them; we lower `end`. Each holds the file's lock (flock) while it looks and writes."""
import fcntl
import os
import re
import stat

STATE = re.compile(rb"\s*([0-9]{1,100})\s+([0-9]{1,100})\s*\Z")


def file_of(folder):
    return folder + "/range"


def give_away(attempt, share):
    """Leaves about `share` of the units that have not been begun to others. Answers with where the program's range now ends;
    None where the program does not take part. BlockingIOError while the program holds the lock."""
    try:
        fd = os.open(file_of(attempt.folder), os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        state = STATE.match(os.pread(fd, 256, 0))
        if state is None:
            return None
        begun, end = int(state.group(1)), int(state.group(2))
        away = max(0, end - begun) * max(0, min(1000, int(share * 1000))) // 1000
        if away > 0:
            end -= away
            text = b"%d %d\n" % (begun, end)
            os.pwrite(fd, text, 0)
            os.ftruncate(fd, len(text))
            attempt.end = end
        return end
    finally:
        os.close(fd)
