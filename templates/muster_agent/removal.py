"""Folders that go."""
import errno
import os
import stat

TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


class Removal:
    """Deletes a folder, also where a chunk took away its own permissions, and however deep it is: what lies deep is moved up
    before it is looked at, so that no path becomes too long. Links are not followed. `trouble`: the first OSError, or None."""

    def __init__(self, path):
        self.path = path
        self.trouble = None
        self.moved = 0
        self.pending = [path]
        self.attempt(self.begin, path)

    def begin(self, path):
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            os.unlink(path)
        elif stat.S_ISDIR(mode):
            self.run()

    def run(self):
        while self.pending:
            folder = self.pending.pop()
            for entry in self.look_into(folder):
                if entry.is_dir(follow_symlinks=False):
                    self.pending.append(self.lift(entry))
                else:
                    self.attempt(os.unlink, entry.path)
            if folder != self.path:
                self.attempt(os.rmdir, folder)
        self.attempt(os.rmdir, self.path)

    def look_into(self, folder):
        self.allow(folder)
        try:
            with os.scandir(folder) as entries:
                return list(entries)
        except OSError as error:
            self.trouble = self.trouble or error
            return []

    def allow(self, folder):
        """Only its owner can, and where that is somebody else, what it holds may go all the same."""
        try:
            if stat.S_IMODE(os.lstat(folder).st_mode) & 0o700 != 0o700:
                os.chmod(folder, 0o700)
        except OSError:
            pass

    def lift(self, entry):
        """Where the folder is from now on."""
        self.allow(entry.path)
        while os.path.dirname(entry.path) != self.path:
            target = os.path.join(self.path, "removed-{}".format(self.moved))
            self.moved += 1
            try:
                os.rename(entry.path, target)
                return target
            except OSError as error:
                if error.errno not in TAKEN:
                    break
        return entry.path

    def attempt(self, function, path):
        try:
            function(path)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            self.trouble = self.trouble or error


def remove_tree(path):
    """The first OSError of what stays, or None when nothing does."""
    return Removal(path).trouble
