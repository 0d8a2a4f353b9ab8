"""The first code cell of every notebook: on Google Colab it installs the course, elsewhere it does nothing.

`python -m tools.colab_cell` prints it. Colab is told by COLAB_RELEASE_TAG, which Colab sets; COURSE_SOURCE, a folder
or an address that pip understands, replaces the repository as the source, to try the cell before it is published.
"""

from __future__ import annotations

from tools.repository import BRANCH, repository_name

CELL = f'''\
# On Google Colab this installs the course in seconds and leaves Colab's packages as they are. Elsewhere: nothing.
import importlib.util
import os
import subprocess
import sys

if "COLAB_RELEASE_TAG" in os.environ and not importlib.util.find_spec("course_utils"):
    source = os.environ.get("COURSE_SOURCE", "https://github.com/{repository_name()}/archive/{BRANCH}.zip")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", source], check=True)
    from course_utils.colab import install_requirements

    install_requirements()'''

if __name__ == "__main__":
    print(CELL)
