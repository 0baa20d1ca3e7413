"""What a measuring process may have: memory, file sizes, variables of the environment, and no life after its parent.

Address space (``RLIMIT_AS``) is no measure of TensorFlow, which reserves far more than it uses.
``RLIMIT_DATA`` counts what is writable and its own: on Linux that is close to what is used, and the
kernel holds to it.
"""

from __future__ import annotations

import os
import re
import signal
import site
import sys
from collections.abc import Mapping, Sequence

__all__ = ["count_threads", "environment", "limit_resources"]

_GIB = 2**30
_LARGEST_FILE = 4 * _GIB

# What Python, TensorFlow and the dynamic linker need to work and to work alike; nothing else is
# handed on.
_KEPT = re.compile(
    r"PATH|LANG|LANGUAGE|LC_[A-Z]+|TZ|TERM|COLUMNS|LINES|TMPDIR|TEMP|TMP|PYTHON[A-Z0-9_]*|VIRTUAL_ENV|CONDA_PREFIX"
    r"|LD_LIBRARY_PATH|DYLD_[A-Z_]+|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|PATHEXT|NUMBER_OF_PROCESSORS"
    r"|(?:TF|OMP|MKL|KMP|OPENBLAS|ONEDNN|DNNL|XLA|CUDA|CUDNN|NVIDIA|HIP|ROCR|ROCM)_[A-Z0-9_]+",
    re.IGNORECASE,
)
# Terraform's variables begin like TensorFlow's, and are where deploy jobs keep their secrets.
_SECRET = re.compile(
    r"TF_(?:VAR|TOKEN|CLI|HTTP|CLOUD)_|TOKEN|SECRET|PASSW|CREDENTIAL|PRIVATE|(?:^|_)KEY", re.IGNORECASE
)


# On how many threads TensorFlow computes: the order of its sums, and so their last digits, hang on
# that, and must hang neither on cores nor on how many processes measure. Four are no slower than two
# on two cores, also where two processes measure.
_THREADS = {"TF_NUM_INTRAOP_THREADS": "4", "TF_NUM_INTEROP_THREADS": "4"}


def count_threads(given: Mapping[str, str]) -> str:
    """Return on how many threads a measuring process computes that is started with such an environment.

    Parameters
    ----------
    given : mapping of str to str
        The environment. Only whole numbers from 1 say how many: TensorFlow takes anything else for
        as many as there are cores.

    Examples
    --------
    >>> [count_threads({"TF_NUM_INTRAOP_THREADS": given}) for given in ("1", "0", "")]
    ['1', '4', '4']
    """
    return _choose_threads(given)["TF_NUM_INTRAOP_THREADS"]


def _choose_threads(given: Mapping[str, str]) -> dict[str, str]:
    found = {name: given.get(name, "") for name in _THREADS}
    return {name: found[name] if re.fullmatch("[1-9][0-9]*", found[name]) else most for name, most in _THREADS.items()}


def environment(given: Mapping[str, str], *, home: str) -> dict[str, str]:
    """Return the variables that a measuring process gets.

    Parameters
    ----------
    given : mapping of str to str
        The environment that there is.
    home : str
        An empty folder, its home.

    Returns
    -------
    dict of str to str
        Known, harmless names only: tokens, proxies and configuration files stay behind. Keras'
        backend is TensorFlow, whatever was given; the number of its threads is the same everywhere,
        unless it was given.
    """
    kept = {name: value for name, value in given.items() if _KEPT.fullmatch(name) and not _SECRET.search(name)}
    kept |= {"HOME": home, "USERPROFILE": home, "XDG_CACHE_HOME": home, "XDG_CONFIG_HOME": home}
    kept |= _choose_threads(given)
    kept["KERAS_BACKEND"] = "tensorflow"  # steps and gradients are written for it; files know no backend
    if site.ENABLE_USER_SITE:
        # Packages installed for one user are found through the home that is taken away.
        kept.setdefault("PYTHONUSERBASE", site.getuserbase())
    return kept


def limit_resources(command: Sequence[str], *, memory: float) -> list[str]:
    """Return a command that runs another one bounded for good: memory, the size of a file, no core dumps.

    On Linux it also ends with the thread that starts it, however that ends: nobody would read what
    it measures. Linux holds to all of it; other systems may not hold to memory. Windows knows no
    such limits, and nothing happens.

    Parameters
    ----------
    command : sequence of str
        What to run, the program first.
    memory : float
        GiB of writable memory.
    """
    if sys.platform == "win32":
        return list(command)
    # Not subprocess' preexec_fn, which may hang where the parent has threads. By its file and
    # isolated: nothing in the working folder can be imported before the limits hold.
    return [sys.executable, "-I", __file__, f"{memory:g}", str(os.getpid()), *command]


_END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>, which execve leaves in force


def _confine(memory: float, parent: int) -> None:
    import ctypes
    import resource

    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended before it could be asked for
            sys.exit("The process that wanted this is gone.")

    wanted = {resource.RLIMIT_DATA: int(memory * _GIB), resource.RLIMIT_FSIZE: _LARGEST_FILE, resource.RLIMIT_CORE: 0}
    for limit, most in wanted.items():
        _, hard = resource.getrlimit(limit)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (bound, bound))


if __name__ == "__main__":
    _confine(float(sys.argv[1]), int(sys.argv[2]))
    os.execv(sys.argv[3], sys.argv[3:])
