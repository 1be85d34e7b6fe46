"""The hook for files: an app is told which ones interactions refer to, and moves them itself."""

from harness import WAIT, Case, company, everything, roadbook, until
from roadbook import (
    Attachment,
    Collection,
    Edit,
    EntryField,
    InteractionKind,
    NewInteraction,
    RoadbookError,
    Value,
)


def visit(references):
    return Edit.ADD_INTERACTION(NewInteraction(kind=InteractionKind.VISIT, attachments=references))


def refer(interaction, references):
    value = None if references is None else Value.TEXT(references)
    return Edit.CHANGE(interaction, EntryField.INTERACTION_ATTACHMENTS, value)


def names(attachments):
    return sorted(one.reference for one in attachments)


class Attachments(Case):
    async def test_the_app_is_told_what_is_referred_to_and_what_came_and_went(self):
        server = self.serve()
        server.admin("user", "add", "other", "--role", "rep")
        phone, tablet = await self.device("phone"), await self.device("tablet")
        saved = phone.create(company("With photos") + [visit("shelf.jpg\n\n  door.jpg \nshelf.jpg")])
        contact, interaction = saved.contact_id, saved.added[0]
        phone.create(company("Without"))
        async with roadbook.watch_attachments(phone) as here, roadbook.watch_attachments(tablet) as there:
            first = await until(here, lambda _: True)
            self.assertEqual(
                sorted(first.added, key=lambda one: one.reference),
                [Attachment(contact_id=contact, interaction_id=interaction, reference=name)
                 for name in ("door.jpg", "shelf.jpg")],
            )
            self.assertEqual(first.removed, [])
            nothing = await until(there, lambda _: True)
            self.assertEqual((nothing.added, nothing.removed), ([], []))

            # What others write comes with the exchange.
            await phone.sync_once(WAIT)
            await tablet.sync_once(WAIT)
            self.assertEqual(names((await until(there, lambda _: True)).added), ["door.jpg", "shelf.jpg"])
            tablet.edit(contact, [refer(interaction, "shelf.jpg\noffer.pdf")])
            changes = await until(there, lambda _: True)
            self.assertEqual((names(changes.added), names(changes.removed)), (["offer.pdf"], ["door.jpg"]))
            await tablet.sync_once(WAIT)
            await phone.sync_once(WAIT)
            changes = await until(here, lambda _: True)
            self.assertEqual((names(changes.added), names(changes.removed)), (["offer.pdf"], ["door.jpg"]))

            # A deleted interaction takes its files along, and brings them back; an archived contact keeps them.
            phone.edit(contact, [Edit.REMOVE(Collection.INTERACTIONS, interaction)])
            self.assertEqual(names((await until(here, lambda _: True)).removed), ["offer.pdf", "shelf.jpg"])
            phone.undo()
            self.assertEqual(names((await until(here, lambda _: True)).added), ["offer.pdf", "shelf.jpg"])
            phone.archive(contact, True)
            phone.edit(contact, [refer(interaction, "offer.pdf")])
            self.assertEqual(names((await until(here, lambda _: True)).removed), ["shelf.jpg"])
            await phone.sync_once(WAIT)

            # A contact that goes to somebody else takes its files along.
            server.admin("assign", "--to", "other", "--ids", contact)
            await phone.sync_once(WAIT)
            self.assertEqual(names((await until(here, lambda _: True)).removed), ["offer.pdf"])

    async def test_a_wiped_device_is_told_that_all_files_go(self):
        server = self.serve()
        phone = await self.device()
        phone.create(company("Secret") + [visit("secret.jpg")])
        await phone.sync_once(WAIT)
        async with roadbook.watch_attachments(phone) as here:
            self.assertEqual(names((await until(here, lambda _: True)).added), ["secret.jpg"])
            server.admin("device", "revoke", phone.status().device.device_id)
            with self.assertRaises((RoadbookError.Wiped, RoadbookError.Refused)):
                await phone.sync_once(WAIT)
            self.assertEqual(names((await until(here, lambda _: True)).removed), ["secret.jpg"])
            with self.assertRaises(RoadbookError.Wiped):
                await until(here, lambda _: True)
            # Whoever begins anew gets them anew.
            await phone.enrol(server.url, server.admin("invite", "rep"), "phone")
            await phone.sync_once(WAIT)
            self.assertEqual(names((await until(here, lambda changes: changes.added)).added), ["secret.jpg"])
        self.assertEqual(phone.list(everything()).total, 1)
