"""Sends one newsletter for each case to the server under test, by SMTP or by its sendmail command.

    python send.py CASES [--command /usr/sbin/sendmail]

CASES is a file with one JSON object a line: case, to (a list), and optionally notify, ret, body (a name in BODIES)
and utf8. The envelope sender names the case, so that the bounce does too.
"""

import json
import smtplib
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

HEAD: Final = """\
Message-ID: <{case}.7f3a9c@shop.example>
Date: Tue, 14 May 2024 09:11:00 +0000
From: "Shop News" <news@shop.example>
To: {to}
Subject: {subject}
List-Unsubscribe: <https://shop.example/u/{case}>
MIME-Version: 1.0
"""
BODIES: Final = {
    "plain": "Content-Type: text/plain; charset=us-ascii\n\nDear customer,\n\nour spring offers are here.\n\nYour shop\n",
    "utf8": "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nLiebe Käuferin,\n\n"
    "unsere Frühlingsangebote sind da: 20 % auf alles für Sie.\n\nIhr Geschäft\n",
    "html": 'Content-Type: multipart/alternative; boundary="=_alt"\n\n--=_alt\nContent-Type: text/plain\n\nSpring offers\n'
    "--=_alt\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
    "<html><body><p>Spring offers =E2=82=AC 10</p></body></html>\n--=_alt--\n",
    # Words that a reader might take for the receiver's.
    "misleading": "Content-Type: text/plain\n\nDear customer,\n\nyour mailbox is full of spam? <nobody@trap.example>: user unknown?\n"
    "550 5.1.1 reasons to buy our filter.\n\nFinal-Recipient: rfc822; nobody@trap.example\nStatus: 5.1.1\n",
}
SUBJECTS: Final = {"utf8": "=?utf-8?q?Fr=C3=BChlingsangebote?="}


def message(case: dict[str, Any]) -> bytes:
    body = case.get("body", "plain")
    head = HEAD.format(case=case["case"], to=", ".join(case["to"]), subject=SUBJECTS.get(body, "Spring offers"))
    return (head + BODIES[body]).encode()


def send(case: dict[str, Any], command: str) -> None:
    sender = f"{case['case']}@bounces.shop.example"
    if command:
        options = (
            []
            if command.endswith("dma")
            else [
                *(["-N", case["notify"]] if "notify" in case else []),
                *(["-R", case["ret"]] if "ret" in case else []),
            ]
        )
        subprocess.run([command, *options, "-f", sender, "--", *case["to"]], input=message(case), check=True)
        return
    with smtplib.SMTP("198.51.100.5", 25, local_hostname="app.shop.example", timeout=20) as smtp:
        smtp.ehlo()
        options = ["SMTPUTF8"] * bool(case.get("utf8"))
        options += [f"RET={case['ret']}"] if "ret" in case else []
        options += ["BODY=8BITMIME"] if case.get("body") == "utf8" else []
        notify = [f"NOTIFY={case['notify']}"] if "notify" in case else []
        smtp.mail(sender, options if smtp.has_extn("dsn") else [o for o in options if not o.startswith("RET")])
        for to in case["to"]:
            code, said = smtp.rcpt(to, notify)
            if code != 250:
                print(case["case"], "refused at once:", to, code, said.decode(errors="replace"))
        code, said = smtp.data(message(case).replace(b"\n", b"\r\n"))
        if code != 250:
            print(case["case"], "refused at once:", code, said.decode(errors="replace"))


def main() -> None:
    command = sys.argv[sys.argv.index("--command") + 1] if "--command" in sys.argv else ""
    for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
        try:
            send(json.loads(line), command)
        except (OSError, smtplib.SMTPException, subprocess.CalledProcessError) as error:
            print(line, "failed:", error)


if __name__ == "__main__":
    main()
