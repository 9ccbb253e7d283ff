"""Which coordinator a run's folder belongs to."""
import os

from .trouble import explain

FILE = "owner"


class Owner:
    """`nonce` of the coordinator that opened this agent last, or None. It is in a file, too: an agent that is started in the
    folder of one that was killed still belongs to it."""

    def __init__(self, root, link):
        self.root, self.link = root, link
        self.nonce = read(root)

    def accepts(self, nonces):
        """Whether a coordinator whose journal knows these nonces continues the work of ours. One of a copy of the run
        directory does not, once the other copy has continued."""
        return self.nonce is None or self.nonce in nonces

    def become(self, nonce):
        """From now on the folder belongs to the coordinator with this nonce."""
        if nonce == self.nonce:
            return
        self.nonce = nonce
        try:
            write(self.root, nonce)
        except OSError as error:
            self.link.problem(explain(error, "the owner of the run's folder could not be saved"))


def read(root):
    try:
        with open(os.path.join(root, FILE)) as file:
            return file.read().strip() or None
    except OSError:
        return None


def write(root, nonce):
    path = os.path.join(root, FILE)
    with open(path + ".part", "w") as file:
        file.write(nonce + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".part", path)
