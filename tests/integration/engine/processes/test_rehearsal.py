"""The fork server's rehearsal leaves the process as it was: its mounts, root, folder and descriptors."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.root

PROGRAM = """
import os
from engine.processes import rehearsal

def facts():
    return (
        os.readlink("/proc/self/ns/mnt"), os.stat("/").st_ino, os.stat("/").st_dev,
        sorted(os.listdir("/sys")), open("/proc/self/mountinfo").read(),
        len(os.listdir("/proc/self/fd")),
    )

os.chdir("/")
before = facts()
done = []
end = rehearsal._rehearse_end
rehearsal._rehearse_end = lambda container: (end(container), done.append(1))
rehearsal.rehearse()
assert facts() == before
assert len(done) == rehearsal.ENDS, done  # it has come to its end
"""


def test_nothing_is_left_of_it() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts are made for real")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
