"""The test mails of flufl.bounce (Apache-2.0), fetched with its source package; only our labels are kept here."""

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

VERSION: Final = "6.0.0"
LABELS: Final = Path(__file__).with_name("flufl_bounce.json")
KEPT: Final = Path(__file__).parents[3] / "var" / "flufl_bounce"


def package() -> Path:
    """The source package; fetched once. Raises CalledProcessError where the package index can't be reached."""
    file = KEPT / f"flufl_bounce-{VERSION}.tar.gz"
    if not file.exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*pip, "--dest", str(KEPT), f"flufl.bounce=={VERSION}"], check=True)
    return file


def mails() -> Iterator[tuple[str, bytes]]:
    """File name and content of each test mail."""
    with tarfile.open(package()) as archive:
        for member in archive:
            path = Path(member.name)
            if path.parts[1:3] == ("tests", "data") and path.suffix == ".txt":
                content = archive.extractfile(member)
                assert content is not None
                yield path.name, content.read()


def labelled() -> Iterator[tuple[str, bytes, list[dict[str, Any]]]]:
    labels = json.loads(LABELS.read_text(encoding="utf-8"))
    for name, raw in mails():
        if name in labels:
            yield f"flufl.bounce/{name}", raw, labels[name]
