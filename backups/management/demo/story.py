"""A month of the demo account: lists that grow, a mistake that was mended, lists that were deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random

from backups.actions.snapshots import pin
from backups.management.demo.diary import Diary, ago
from backups.management.demo.people import Crowd
from backupsvc.accounts.actions.support import open_account
from backupsvc.accounts.actor import Actor, Origin, operator
from backupsvc.accounts.models import Account, User
from recipients.actions.attributes import create_attribute
from recipients.actions.blocklist import block
from recipients.actions.exports import export_group
from recipients.actions.groups import change_group
from recipients.actions.leftovers import sweep_leftovers
from recipients.models import Activity, Group, Mode, Recipient

FIELDS = {"First name": "text", "Last name": "text", "City": "text", "Gender": "gender", "Birthday": "date",
          "Orders": "number"}  # fmt: skip
KINDS = (Activity.Kind.OPENED, Activity.Kind.OPENED, Activity.Kind.OPENED, Activity.Kind.CLICKED)
# So long ago the account was made.
FOUNDED = timedelta(days=26)
LETTERS = ("Spring letter", "New in the shop", "Invitation", "Your order")


class Story:
    """Everything happens through actions, oldest first; each day is then dated back."""

    def __init__(self, account: Account, *, cast: Mapping[str, User], now: datetime) -> None:
        self.account = account
        self.now = now
        self.diary = Diary(account)
        self.owner, self.admin, self.editor = (
            Actor(user=cast[role], origin=Origin.UI) for role in ("owner", "admin", "editor")
        )
        self.support = Actor(user=cast["support"], origin=Origin.SUPPORT)
        self.newsletter = Crowd("newsletter", "de it en", now)
        self.germany = Crowd("germany", "de", now)
        self.italy = Crowd("italy", "it", now)
        self.events = Crowd("events", "en de", now)
        self.groups: dict[str, Group] = {}

    def tell(self) -> None:
        """All of it."""
        self.diary.date_back(FOUNDED)
        self._beginning()
        self._lists_come_and_go()
        self._a_mistake_is_mended()
        self._this_week()
        self._today()
        for name, group in self.groups.items():
            self._activities(group, seed=name)
        # What the scheduler would have done all the while.
        sweep_leftovers()

    def _beginning(self) -> None:
        with self.diary.day(ago(self.now, days=25, hour=8)):
            for name, kind in FIELDS.items():
                create_attribute(self.account, actor=self.admin, name=name, type=kind)
            self._found("Newsletter", self.newsletter, size=4_400, file_name="newsletter-export.csv")
            self._found("Kunden Deutschland", self.germany, size=1_700, file_name="kunden_de.csv", broken=4)
        with self.diary.day(ago(self.now, days=24, hour=10)):
            self._found("Clienti Italia", self.italy, size=1_150, file_name="clienti.csv")
            self._found("Event guests", self.events, size=180, file_name="guests.csv", broken=2)
        with self.diary.day(ago(self.now, days=23, hour=9)):
            shop = Crowd("shop", "de en", self.now)
            self._found("Old web shop", shop, size=640, file_name="shop-2019.csv")
            spring = Crowd("spring", "en it", self.now)
            self._found("Spring campaign", spring, size=320, file_name="spring.csv")
        with self.diary.day(ago(self.now, days=22, hour=15)):
            block(self.account, actor=self.admin, pattern="*@spam.example", comment="only complaints")
            self._found("Beta testers", Crowd("beta", "en", self.now), size=50, file_name="beta.csv")
            change_group(
                self.groups["Beta testers"],
                actor=self.admin,
                auto_backup=False,
                info="For trying things out.",
            )

    def _lists_come_and_go(self) -> None:
        shop = self.groups.pop("Old web shop")
        self._more("Newsletter", self.newsletter, days=20, hour=7, new=190, moved=120, left=25)
        with self.diary.day(ago(self.now, days=19, hour=11)):
            self.diary.delete(shop, actor=self.owner)
        with self.diary.day(ago(self.now, days=18, hour=11)):
            self.diary.let_go(shop)
        self._more("Newsletter", self.newsletter, days=16, hour=7, new=110, moved=60, left=10, broken=2)
        with self.diary.day(ago(self.now, days=14, hour=16)):
            kept = self.diary.back_up(
                self.groups["Newsletter"], actor=self.owner, detail="before the new provider"
            )
            pin(kept, actor=self.owner, pinned=True)
        self._more("Kunden Deutschland", self.germany, days=12, hour=13, new=90, moved=70, left=12)
        with self.diary.day(ago(self.now, days=10, hour=18)):
            # A shop plugin: changes through the API make no backup unless the account wants it.
            plugin = Crowd("plugin", "de", self.now)
            plugin.grow(12)
            germany = self.groups["Kunden Deutschland"]
            self.diary.load(plugin.people, actor=operator(Origin.API), file_name="api", into=germany)
        self._more("Newsletter", self.newsletter, days=9, hour=7, new=160, moved=240, left=30)

    def _a_mistake_is_mended(self) -> None:
        italy = self.groups["Clienti Italia"]
        with self.diary.day(ago(self.now, days=7, hour=9)):
            self.diary.load(
                self.italy.people[:400], actor=self.editor, file_name="da_cancellare.csv", into=italy,
                mode=Mode.DELETE,
            )  # fmt: skip
        with self.diary.day(ago(self.now, days=7, hour=10)):
            self.diary.restore(self.diary.last_snapshot(italy), actor=self.admin)
        with self.diary.day(ago(self.now, days=6, hour=14)):
            open_account(self.account, actor=self.support)

    def _this_week(self) -> None:
        self._more("Event guests", self.events, days=5, hour=12, new=60, moved=8, left=3, broken=1)
        self._more("Newsletter", self.newsletter, days=4, hour=8, new=140, moved=90, left=18)
        self._more("Clienti Italia", self.italy, days=3, hour=17, new=45, moved=30, left=6)
        with self.diary.day(ago(self.now, days=2, hour=17)):
            export_group(self.groups["Event guests"], actor=self.admin, kind="csv-safe")
        self._more("Newsletter", self.newsletter, days=1, hour=7, new=75, moved=310, left=21, broken=3)

    def _today(self) -> None:
        with self.diary.day(timedelta(hours=3)):
            self.diary.back_up(self.groups["Kunden Deutschland"], actor=self.editor)
        with self.diary.day(timedelta(hours=2)):
            self.diary.delete(self.groups.pop("Spring campaign"), actor=self.editor)

    def _found(self, name: str, crowd: Crowd, *, size: int, file_name: str, broken: int = 0) -> None:
        crowd.grow(size)
        self.groups[name] = self.diary.load(
            crowd.people, actor=self.admin, file_name=file_name, new=name, broken=broken
        )

    def _more(
        self,
        name: str,
        crowd: Crowd,
        *,
        days: int,
        hour: int,
        new: int,
        moved: int,
        left: int,
        broken: int = 0,
    ) -> None:
        """The list's file of that day is imported."""
        crowd.move(moved)
        crowd.leave(left, days_ago=days)
        crowd.grow(new)
        file_name = f"{name.lower().replace(' ', '-')}-{len(crowd.people)}.csv"
        with self.diary.day(ago(self.now, days=days, hour=hour)):
            self.groups[name] = self.diary.load(
                crowd.people, actor=self.editor, file_name=file_name, into=self.groups[name], broken=broken
            )

    def _activities(self, group: Group, *, seed: str) -> None:
        """What some people did: reported by whatever sends the letters, so there is no action for it."""
        dice = Random(seed)  # noqa: S311  # the same everywhere, nothing secret
        readers = Recipient.objects.filter(group=group, deactivated=None, bounced=None).order_by("key")[:400]
        Activity.objects.bulk_create(
            Activity(
                recipient=reader,
                kind=dice.choice(KINDS),
                at=self.now - timedelta(minutes=dice.randrange(60, 36_000)),
                detail=dice.choice(LETTERS),
            )
            for reader in readers
            for _ in range(dice.randrange(4))
        )
