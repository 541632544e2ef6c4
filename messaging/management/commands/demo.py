"""`manage.py demo`: contacts and messages to look at, brought about by real send-outs to the try-out receivers."""

import time
from argparse import ArgumentParser
from collections.abc import Container
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from contacts.models import Contact
from messaging.demo import cast, outcome, preconditions, tryout
from messaging.demo.play import Play
from messaging.demo.post import Providers
from messaging.demo.script import Card, story
from messaging.demo.waiting import DemoError
from messaging.models import Message

TABS: Final = {"messages": "messaging:tab", "history": "contacts:history"}


class Command(BaseCommand):
    help = (
        "Loads demo data: the send-outs of some weeks, really sent to the try-out receivers of 'make run'. "
        "Needs DEMO_PASSWORD."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", default=settings.PUBLIC_URL, help="where Engage answers (default: PUBLIC_URL)")
        parser.add_argument(
            "--again", action="store_true",
            help="load afresh, though there are contacts already; those that are not the demo's stay as they are",
        )  # fmt: skip

    def handle(self, *_args: Any, url: str, again: bool, **_options: Any) -> None:
        try:
            self.load_once(url.rstrip("/"), again=again)
        except DemoError as error:
            self.show("")
            raise CommandError(str(error)) from error

    def load_once(self, url: str, *, again: bool) -> None:
        password = preconditions.password()
        if cast.is_whole() and not again:
            cast.make_log_ins(password)
            self.stdout.write("The demo is there already; its log-ins have the password of DEMO_PASSWORD from now on.")
        elif preconditions.leads_out():
            cast.make_log_ins(password)
            self.stdout.write(
                "Log-ins are made, and nothing else: the demo's send-outs go to the try-out receivers, and here "
                "EMAIL_ROUTE or SMS_ROUTE leads out to people."
            )
            return
        else:
            started = time.monotonic()
            play = self.load(url, password, again=again)
            self.stdout.write(
                f"All came out as the story tells: {summary(play)}, in {time.monotonic() - started:.1f} s."
            )
        self.show_cards(url)

    def load(self, url: str, password: str, *, again: bool) -> Play:
        providers = Providers(url, settings.PUBLIC_URL, preconditions.keys())
        preconditions.web_server(url)
        preconditions.receivers()
        preconditions.alone()
        if not again:
            preconditions.nobody_elses_contacts()
        self.stdout.write("Sending to the try-out receivers, and moving the time on in between")
        if cast.contacts():
            cast.clear()
            self.say("  What an earlier demo left: cleared away")
        cast.make_log_ins(password)
        self.say(f"  Log-ins: {', '.join(cast.LOG_INS)}")
        cast.enter_tryout()
        self.say(f"  Contacts to send to, under the label {tryout.LABEL!r}: {len(tryout.guids())}")
        play = Play(providers, say=self.say, show=self.show)
        play.run()
        return play

    def say(self, line: str) -> None:
        self.show("")
        self.stdout.write(line)

    def show(self, line: str) -> None:
        """A line that the next one overwrites; only for whoever watches."""
        if self.stdout.isatty():
            self.stdout.write(f"\r{line:<60}\r", ending="")
            self.stdout.flush()

    def show_cards(self, url: str) -> None:
        people = cast.contacts()
        lines = [f"  {card.who}: {card.look}\n    {url}{page(card, people[card.who])}" for card in cards(people)]
        self.stdout.write("\nWhere to look, logged in as marketer; as administrator you can remove blocks, too:\n\n")
        self.stdout.write("\n".join(lines))
        self.stdout.write(
            f"\nReports that nobody could read or match: log in as support at {url}{reverse('admin:index')}"
        )


def cards(people: Container[str]) -> list[Card]:
    """The demo's cards whose people are still there."""
    return [card for card in story().cards.values() if card.who in people]


def page(card: Card, contact: Contact) -> str:
    """The page on which the card's point is to be seen."""
    named = [plan.name for plan in story().plans if plan.id == card.opens]
    if message := Message.objects.filter(contact=contact, send_out__name__in=named).first():
        return message.get_absolute_url()
    return reverse(TABS[card.tab], args=[contact.guid])


def summary(play: Play) -> str:
    kinds = outcome.tally(play.parts)
    return f"{len(play.parts)} messages of {len(play.send_outs)} send-outs in {len(kinds)} statuses"
