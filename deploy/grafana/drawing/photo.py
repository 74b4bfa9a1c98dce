"""Turns a page into a PNG with Chromium, without a screen.

In: a page. Out: a picture of exactly the page's size.
Never: the network.
"""

import shutil
import subprocess
from pathlib import Path

from deploy.grafana.drawing.page import Page
from deploy.local.packages import InstallHint, install

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def photograph(page: Page, picture: Path, scratch: Path) -> None:
    """Write the PNG."""
    source = scratch / f"{picture.stem}.html"
    source.write_text(page.html, encoding="utf-8")
    command = [
        browser(),
        "--headless",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--hide-scrollbars",
        "--disable-lcd-text",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--force-device-scale-factor=1",
        f"--user-data-dir={scratch / 'browser'}",
        f"--window-size={page.width},{page.height}",
        f"--screenshot={picture}",
        source.as_uri(),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert answer.returncode == 0 and picture.exists(), answer.stderr[-2000:]


def browser() -> str:
    """A browser of the Chromium family; as root on Debian its package is installed if it is missing."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        install("Chromium", ("chromium",), hint=InstallHint("chromium", "chromium"))
        found = shutil.which("chromium")
    assert found is not None, "chromium is not on the PATH though its package is installed"
    return found


def size_of(picture: Path) -> tuple[int, int]:
    """Width and height, from the PNG's header."""
    head = picture.read_bytes()[:24]
    assert head[1:4] == b"PNG"
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
