"""Where the browser tests find a browser. A program, too: gets one where none is found, and prints its path."""

import os
import shutil
import subprocess
import sys
import tempfile

from engage.local import bootstrap

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
# In the checkout: a test run leaves nothing in the home folder.
DOWNLOADS = bootstrap.BASE_DIR / "var" / "browsers"


def find() -> str | None:
    """CHROMIUM of the environment, the machine's own, or the one that `get` has fetched."""
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    installed = next(filter(None, map(shutil.which, NAMES)), None)
    fetched = next(DOWNLOADS.glob("chromium-*/chrome-*/chrome"), None)
    return installed or (str(fetched) if fetched else None)


def get() -> str | None:
    """Debian's where we may install it (it brings the libraries along), else Playwright's own."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        bootstrap.apt_install("chromium")
    else:
        command = [sys.executable, "-m", "playwright", "install", "--no-shell", "chromium"]
        environment = os.environ | {"PLAYWRIGHT_BROWSERS_PATH": str(DOWNLOADS)}
        subprocess.run(command, env=environment, stdout=sys.stderr, check=False)
    return find()


def is_working(path: str) -> bool:
    """A downloaded one may lack libraries of the machine."""
    calm = ["--headless", "--disable-gpu", "--disable-background-networking"]
    with tempfile.TemporaryDirectory(prefix="engage-chromium-") as profile:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [path, *calm, *sandbox, f"--user-data-dir={profile}", "--dump-dom", "about:blank"]
        try:
            homeless = os.environ | {"HOME": profile, "XDG_CONFIG_HOME": profile, "XDG_CACHE_HOME": profile}
            return subprocess.run(command, env=homeless, capture_output=True, timeout=60, check=False).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False


if __name__ == "__main__":
    chromium = find() or get()
    if chromium and is_working(chromium):
        print(chromium)
    else:
        sys.exit("No Chromium was found or could be installed. Name one: CHROMIUM=/path/to/chromium")
