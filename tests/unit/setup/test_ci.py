"""CI never passes over the Python that is shipped for."""

import shutil
import subprocess
from pathlib import Path

from tests.unit.setup.scripts import ROOT, a_script, stand_in


class TestCi:
    def test_fails_loudly_without_the_python_that_is_shipped_for(self, tmp_path: Path) -> None:
        stand_in(tmp_path / "bin" / "python3", "3.11")
        ran = tmp_path / "ran"
        a_script(tmp_path / "bin" / "make", f"touch {ran}")
        a_script(tmp_path / "bin" / "chromium", "")
        for name in ("bash", "dirname", "sed"):
            (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
        done = subprocess.run(
            [str(ROOT / ".ci" / "run")],
            env={"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith("make: Python 3.13 is needed, and none was found: ")
        assert not ran.exists()
