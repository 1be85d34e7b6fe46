"""Every call, as an app makes it, and every error that an app acts on."""

import datetime
import json
import signal
from datetime import timedelta

from harness import WAIT, Case, company, everything, roadbook, text
from roadbook import (
    Collection,
    ConsentState,
    ContactKind,
    Decision,
    Edit,
    EntryField,
    Field,
    FieldPath,
    InteractionKind,
    LeaseState,
    Money,
    NewAddress,
    NewConsent,
    NewDeal,
    NewEmail,
    NewInteraction,
    NewMessenger,
    NewPhone,
    NewPurchase,
    NewTask,
    OpenSettings,
    Phase,
    ProposalState,
    Receipt,
    Refusal,
    Roadbook,
    RoadbookError,
    Sort,
    Stage,
    Standing,
    Temperature,
    Value,
    ValueKind,
    Verdict,
)

MOMENT = datetime.datetime(2026, 3, 4, 9, 30, 15, 123000, tzinfo=datetime.timezone.utc)
DAY = datetime.date(2026, 5, 1)
NOBODY = "01010101-0101-4101-8101-010101010101"


def whole():
    """Edits that touch everything there is in the document model."""
    return [
        text(Field.GIVEN_NAME, "Åse"),
        text(Field.FAMILY_NAME, "Østergård"),
        text(Field.COMPANY, "Nordsø Fisk"),
        Edit.SET(Field.KIND, Value.KIND(ContactKind.PERSON)),
        Edit.SET(Field.STATUS, Value.STATUS(Standing.CUSTOMER)),
        Edit.SET(Field.TEMPERATURE, Value.TEMPERATURE(Temperature.WARM)),
        Edit.SET(Field.BIRTHDAY, Value.DATE(datetime.date(1975, 2, 28))),
        Edit.SET(Field.NEXT_VISIT, Value.DATE(DAY)),
        Edit.SET(Field.LATITUDE, Value.DECIMAL(56.15)),
        Edit.SET(Field.CADENCE_DAYS, Value.INTEGER(42)),
        Edit.SET(Field.DO_NOT_CONTACT, Value.FLAG(False)),
        Edit.SET_CUSTOM("shoe size", Value.INTEGER(38)),
        Edit.SET_EXTERNAL_ID("erp", "4711"),
        Edit.ADD_TAG("north"),
        Edit.ADD_TAG("fish"),
        Edit.REMOVE_TAG("north"),
        Edit.SET_NOTE("likes tea", None),
        Edit.ADD_PHONE(NewPhone(number="+45 8612 3456", label="work")),
        Edit.ADD_EMAIL(NewEmail(address="aase@nordsoe.example")),
        Edit.ADD_MESSENGER(NewMessenger(handle="@aase", service="signal")),
        Edit.ADD_ADDRESS(NewAddress(street="Store Torv 1", city="Århus", country="DK")),
        Edit.ADD_INTERACTION(
            NewInteraction(kind=InteractionKind.VISIT, at=MOMENT, summary="Looked at shelves", nps=9)
        ),
        Edit.ADD_DEAL(
            NewDeal(title="Shelves", amount=Money(minor=1_240_000, currency="DKK"), expected_close=DAY)
        ),
        Edit.ADD_PURCHASE(NewPurchase(date=DAY, amount=Money(minor=9_950, currency="EUR"), product="Hooks")),
        Edit.ADD_TASK(NewTask(text="Send the offer", due=DAY)),
        Edit.ADD_CONSENT(NewConsent(channel="email", state=ConsentState.GIVEN, purpose="offers")),
    ]


class Calls(Case):
    async def test_a_whole_contact_is_written_read_changed_and_comes_back_as_it_was(self):
        self.serve()
        book = await self.device()
        saved = book.create(whole())
        self.assertEqual(len(saved.added), 9)
        contact = book.contact(saved.contact_id)
        self.assertEqual(contact.display_name, "Åse Østergård")
        self.assertEqual(contact.kind, ContactKind.PERSON)
        self.assertEqual(contact.status, Standing.CUSTOMER)
        self.assertEqual(contact.temperature, Temperature.WARM)
        self.assertEqual(contact.birthday, datetime.date(1975, 2, 28))
        self.assertEqual(contact.next_visit, DAY)
        self.assertEqual(contact.latitude, 56.15)
        self.assertEqual(contact.cadence_days, 42)
        self.assertIsNone(contact.website)
        self.assertFalse(contact.do_not_contact)
        self.assertEqual(contact.custom, {"shoe size": Value.INTEGER(38)})
        self.assertEqual(contact.external_ids, {"erp": "4711"})
        self.assertEqual(contact.tags, ["fish"])
        self.assertEqual(contact.note, "likes tea")
        self.assertEqual(contact.phones[0].number, "+45 8612 3456")
        self.assertEqual(contact.emails[0].address, "aase@nordsoe.example")
        self.assertEqual(contact.messengers[0].service, "signal")
        self.assertEqual(contact.addresses[0].city, "Århus")
        visit = contact.interactions[0]
        self.assertEqual((visit.kind, visit.at, visit.nps), (InteractionKind.VISIT, MOMENT, 9))
        deal = contact.deals[0]
        self.assertEqual(deal.amount, Money(minor=1_240_000, currency="DKK"))
        self.assertEqual((deal.stage, deal.expected_close), (Stage.LEAD, DAY))
        self.assertEqual(contact.purchases[0].amount.minor, 9_950)
        self.assertEqual((contact.tasks[0].due, contact.tasks[0].done), (DAY, False))
        self.assertEqual(contact.consents[0].state, ConsentState.GIVEN)
        self.assertEqual(contact.unread, {})

        row = book.row(saved.contact_id)
        self.assertEqual((row.city, row.open_tasks, row.next_due), ("Århus", 1, DAY))
        self.assertEqual(row.open_deals, [Money(minor=1_240_000, currency="DKK")])
        self.assertEqual(row.last_contact, MOMENT)

        edited = book.edit(
            saved.contact_id,
            [
                Edit.CHANGE(deal.id, EntryField.DEAL_STAGE, Value.STAGE(Stage.OFFER)),
                Edit.CHANGE(deal.id, EntryField.DEAL_AMOUNT, Value.AMOUNT(Money(minor=5, currency="EUR"))),
                Edit.CHANGE(contact.phones[0].id, EntryField.PHONE_LABEL, None),
                Edit.COMPLETE_TASK(contact.tasks[0].id),
                Edit.REMOVE(Collection.EMAILS, contact.emails[0].id),
                Edit.SET(Field.STATUS, None),
                Edit.APPEND_NOTE("and dogs"),
                Edit.SET_CUSTOM("shoe size", None),
                Edit.SET_EXTERNAL_ID("erp", None),
            ],
        )
        after = book.contact(saved.contact_id)
        self.assertEqual(after.deals[0].stage, Stage.OFFER)
        self.assertEqual(after.deals[0].amount, Money(minor=5, currency="EUR"))
        self.assertIsNone(after.phones[0].label)
        self.assertTrue(after.tasks[0].done)
        self.assertEqual(after.emails, [])
        self.assertIsNone(after.status)
        self.assertEqual(after.note, "likes tea\nand dogs")
        self.assertEqual((after.custom, after.external_ids), ({}, {}))
        book.edit(saved.contact_id, [Edit.RESTORE(Collection.EMAILS, contact.emails[0].id)])
        self.assertEqual(book.contact(saved.contact_id).emails, contact.emails)

        # One group is one edit, which is taken back as one.
        self.assertEqual([entry.command for entry in book.outbox()][:2], ["create", "group"])
        self.assertEqual(book.receipt(edited.edit_id), Receipt.SAVED)
        book.undo(saved.contact_id)
        book.undo()
        again = book.contact(saved.contact_id)
        self.assertEqual(again.deals, contact.deals)
        self.assertEqual(again.note, contact.note)
        self.assertEqual(again.emails, contact.emails)

        changes = book.history(saved.contact_id)
        self.assertEqual([change.command for change in changes], ["undo", "undo", "restore", "group", "create"])
        stage = [
            field
            for field in changes[3].fields
            if field.field == FieldPath.ENTRY_FIELD(deal.id, EntryField.DEAL_STAGE)
        ]
        self.assertEqual((stage[0].before, stage[0].after), (Value.STAGE(Stage.LEAD), Value.STAGE(Stage.OFFER)))
        authors = {repr(author.field): author for author in book.authors(saved.contact_id)}
        self.assertIn(repr(FieldPath.ROOT(Field.COMPANY)), authors)
        before = book.contact_as_of(saved.contact_id, changes[4].at)
        self.assertEqual(before.deals[0].stage, Stage.LEAD)
        self.assertEqual(book.conflicts(), [])

    async def test_lists_are_filtered_sorted_paged_and_searched(self):
        self.serve()
        book = await self.device()
        for n in range(30):
            book.create(
                company(f"Company {n:02}")
                + [Edit.SET(Field.STATUS, Value.STATUS(Standing.CUSTOMER if n % 3 == 0 else Standing.LEAD))]
            )
        page = book.list(everything(offset=10, limit=5))
        self.assertEqual((page.total, page.offset), (30, 10))
        self.assertEqual([row.company for row in page.rows], [f"Company {n}" for n in range(10, 15)])
        customers = book.list(everything(filter="status:customer"))
        self.assertEqual(customers.total, 10)
        self.assertEqual(len(book.ids("status:customer")), 10)
        self.assertEqual(book.list(everything(sort=Sort.TOUCHED, limit=1)).rows[0].company, "Company 29")
        for sort in Sort:
            self.assertEqual(book.list(everything(sort=sort)).total, 30)
        found = book.search("comp 07")
        self.assertEqual([row.company for row in found], ["Company 07"])
        self.assertEqual(book.search(""), [])
        one = found[0].id
        self.assertEqual(book.resolve_id(one[:30]), one)
        book.archive(one, True)
        self.assertEqual(book.list(everything()).total, 29)
        self.assertEqual(book.list(everything(filter="archived:yes")).total, 1)
        book.archive(one, False)
        self.assertEqual(book.list(everything()).total, 30)
        self.assertEqual(len(roadbook.field_infos()), len(Field))
        kinds = {info.field: info.kind for info in roadbook.field_infos()}
        self.assertEqual(kinds[Field.BIRTHDAY], ValueKind.DATE)

    async def test_edits_on_two_devices_meet_and_a_conflict_is_decided(self):
        self.serve()
        phone, tablet = await self.device("phone"), await self.device("tablet")
        self.assertEqual(phone.status().device.user.login, "rep")
        saved = phone.create(company("Before"))
        report = await phone.sync_once(WAIT)
        self.assertGreaterEqual(report.sent, 1)
        await tablet.sync_once(WAIT)
        phone.edit(saved.contact_id, company("By phone"))
        tablet.edit(saved.contact_id, company("By tablet"))
        for book in (phone, tablet, phone):
            await book.sync_once(WAIT)
        [conflict] = phone.conflicts(saved.contact_id)
        self.assertEqual(conflict.field, FieldPath.ROOT(Field.COMPANY))
        values = {side.value.text for side in conflict.sides}
        self.assertEqual(values, {"By phone", "By tablet"})
        self.assertEqual([side.author.login for side in conflict.sides], ["rep", "rep"])
        self.assertEqual(sum(side.shown for side in conflict.sides), 1)
        self.assertEqual(phone.list(everything(filter="conflicts:any")).total, 1)
        phone.resolve(saved.contact_id, conflict.field, Value.TEXT("By tablet"))
        await phone.sync_once(WAIT)
        await tablet.sync_once(WAIT)
        self.assertEqual(tablet.contact(saved.contact_id).company, "By tablet")
        self.assertEqual(tablet.conflicts(), [])
        self.assertIn("Rita Rep", [person.name for person in phone.users()])
        self.assertEqual(phone.quarantine(), [])
        file = self.dir / "quarantine.jsonl"
        self.assertEqual(phone.export_quarantine(str(file)), 0)
        self.assertTrue(file.exists())

    async def test_an_exchange_that_runs_carries_edits_as_they_come(self):
        self.serve()
        phone, tablet = await self.device("phone"), await self.device("tablet")
        phone.start_sync()
        phone.start_sync()
        tablet.start_sync()
        async with roadbook.watch_list(tablet, everything()) as pages:
            saved = phone.create(company("As it comes"))
            async for page in pages:
                if page.total == 1:
                    break
        self.assertEqual(tablet.contact(saved.contact_id).company, "As it comes")
        # One exchange now, in the place of the one that runs, which goes on after it.
        phone.create(company("Now"))
        await phone.sync_once(WAIT)
        self.assertEqual(phone.status().sync.unsent, 0)
        self.assertTrue(phone.status().sync.started)
        phone.wake_sync()
        await phone.stop_sync()
        await phone.stop_sync()
        await tablet.stop_sync()
        self.assertEqual(phone.status().sync.phase, Phase.OFFLINE)

    async def test_a_leaver_hands_over_and_a_late_edit_is_proposed(self):
        server = self.serve()
        server.admin("user", "add", "other", "--role", "rep")
        phone = await self.device()
        saved = phone.create(company("Handed over"))
        await phone.sync_once(WAIT)
        late = phone.edit(saved.contact_id, company("Too late"))
        server.admin("assign", "--to", "other", "--ids", saved.contact_id)
        await phone.sync_once(WAIT)
        self.assertEqual(phone.list(everything()).total, 0)
        [entry] = [entry for entry in phone.outbox() if entry.edit_id == late.edit_id]
        self.assertEqual((entry.receipt, entry.decision), (Receipt.PROPOSED, None))
        self.assertTrue(entry.reason)
        # The new owner sees it on the own device, and decides with no network.
        tablet = await self.open("tablet")
        await tablet.enrol(server.url, server.admin("invite", "other"), "tablet")
        await tablet.sync_once(WAIT)
        self.assertEqual(tablet.status().proposals, 1)
        # So are the fields that the office defines ...
        self.assertEqual(tablet.custom_fields(), [])
        server.office("custom-field", "set", "Tier", "--kind", "choice", "--choice", "gold")
        server.office("custom-field", "set", "Shoe size", "--kind", "number")
        await tablet.sync_once(WAIT)
        [tier, size] = tablet.custom_fields()
        self.assertEqual((tier.name, tier.kind, tier.words), ("Tier", ValueKind.CHOICE, ["gold"]))
        self.assertEqual((size.name, size.kind), ("Shoe size", ValueKind.DECIMAL))
        tablet.edit(saved.contact_id, [Edit.SET_CUSTOM("Shoe size", Value.DECIMAL(42.5))])
        self.assertEqual(tablet.ids('custom."Shoe size":>42'), [saved.contact_id])
        # ... and the lists that it hands over.
        self.assertEqual(tablet.lists(), [])
        server.office("list", "hand", "Trade fair", "--filter", "*", "--to", "other")
        await tablet.sync_once(WAIT)
        [handed] = tablet.lists()
        self.assertEqual((handed.name, handed.contacts), ("Trade fair", 1))
        self.assertEqual(tablet.ids(handed.filter), [saved.contact_id])
        [proposal] = tablet.proposals()
        self.assertEqual(proposal.contact_id, saved.contact_id)
        [item] = proposal.items
        [field] = item.fields
        self.assertEqual((field.base, field.now), (Value.TEXT("Handed over"),) * 2)
        self.assertEqual(field.proposed, Value.TEXT("Too late"))
        decided = tablet.decide_proposal(proposal.number, Verdict.DECLINE)
        self.assertEqual(decided.items[0].decision, Verdict.DECLINE)
        with self.assertRaises(RoadbookError.NotAllowed):
            tablet.decide_proposal(proposal.number, Verdict.DECLINE, [item.item])
        await tablet.sync_once(WAIT)
        [item] = tablet.proposals(all=True)[0].items
        self.assertEqual((item.state, item.decision), (ProposalState.DECLINED, None))
        self.assertEqual(json.loads(server.office("proposal", "list", "--json"))["proposals"], [])
        await phone.sync_once(WAIT)
        [entry] = [entry for entry in phone.outbox() if entry.edit_id == late.edit_id]
        self.assertEqual(entry.decision, Decision.DECLINED)


class Keychain(roadbook.KeyStore):
    """A platform's keystore, in memory."""

    def __init__(self):
        self.secrets = {}
        self.trouble = None

    def check(self):
        if self.trouble:
            raise self.trouble

    def get(self, name):
        self.check()
        return self.secrets.get(name)

    def put(self, name, secret):
        self.check()
        self.secrets[name] = secret

    def delete(self, name):
        self.check()
        self.secrets.pop(name, None)


class Keys(Case):
    async def test_secrets_are_kept_by_the_app_and_what_its_store_throws_is_an_error(self):
        server = self.serve()
        keychain = Keychain()
        settings = OpenSettings(home=str(self.dir / "phone"), app="suite/1.0", key_store=keychain)
        book = await Roadbook.open(settings)
        await book.enrol(server.url, server.admin("invite", "rep"), "phone")
        book.create(company("Kept"))
        await book.sync_once(WAIT)
        self.assertIn("device.key", keychain.secrets)
        self.assertFalse((self.dir / "phone" / "device.key").exists())
        for trouble in (RoadbookError.Keys("the phone is locked"), RuntimeError("the phone is locked")):
            keychain.trouble = trouble
            with self.assertRaises(RoadbookError.Keys) as raised:
                await book.sync_once(WAIT)
            self.assertIn("the phone is locked", raised.exception.reason)
        keychain.trouble = None
        await book.sync_once(WAIT)
        book.wipe(False)
        self.assertEqual(keychain.secrets, {})


class Errors(Case):
    async def test_not_enrolled(self):
        book = await self.open()
        status = book.status()
        self.assertEqual((status.enrolled, status.device, status.contacts), (False, None, 0))
        with self.assertRaises(RoadbookError.NotEnrolled) as raised:
            book.create(company("x"))
        self.assertIn("code", raised.exception.reason)
        with self.assertRaises(RoadbookError.NotEnrolled):
            await book.sync_once(WAIT)
        with self.assertRaises(RoadbookError.NotEnrolled):
            book.start_sync()

    async def test_refused_code_address_offline_and_untrusted(self):
        server = self.serve()
        book = await self.open()
        with self.assertRaises(RoadbookError.Refused) as raised:
            await book.enrol(server.url, "WRONG-CODE", "phone")
        self.assertEqual(raised.exception.code, Refusal.CODE_REFUSED)
        with self.assertRaises(RoadbookError.Address):
            await book.enrol("ftp://nowhere", "X", "phone")
        with self.assertRaises(RoadbookError.Offline):
            await book.enrol("http://127.0.0.1:9", "X", "phone")
        self.assertFalse(book.status().enrolled)

    async def test_a_scanned_invitation_enrols_and_another_text_is_refused(self):
        server = self.serve(plain=False)
        book = await self.open()
        for text in ("https://crm.example.com", "roadbook://enrol?url=https%3A%2F%2Fx", "9783161484100"):
            with self.assertRaises(RoadbookError.Invalid) as raised:
                await book.enrol_scanned(text, "phone")
            self.assertEqual(raised.exception.field, "text")
            self.assertIn("scan", raised.exception.way_out)
        # The server's own link: with its address, a code and the fingerprint of its certificate.
        link = json.loads(server.office("invite", "rep", "--json"))["link"]
        device = await book.enrol_scanned(link, "phone")
        self.assertEqual((device.server_url, device.user.login), (server.url, "rep"))
        book.create(company("Scanned"))
        await book.sync_once(WAIT)
        self.assertEqual(book.status().sync.unsent, 0)

    async def test_invalid_not_found_and_ambiguous(self):
        self.serve()
        book = await self.device()
        with self.assertRaises(RoadbookError.Invalid) as raised:
            book.create([text(Field.BIRTHDAY, "yesterday")])
        error = raised.exception
        self.assertEqual(error.field, "birthday")
        self.assertTrue(error.reason and error.way_out)
        with self.assertRaises(RoadbookError.Invalid):
            book.create([])
        with self.assertRaises(RoadbookError.Invalid) as raised:
            book.list(everything(filter="staus:customer"))
        self.assertEqual(raised.exception.field, "filter")
        with self.assertRaises(RoadbookError.Invalid):
            book.contact("nonsense")
        for call in (
            lambda: book.contact(NOBODY),
            lambda: book.edit(NOBODY, company("x")),
            lambda: book.history(NOBODY),
            lambda: book.row(NOBODY),
            lambda: book.resolve_id("ffff"),
        ):
            with self.assertRaises(RoadbookError.NotFound):
                call()
        self.assertIsNone(book.receipt(NOBODY))
        first, second = book.create(company("One")), book.create(company("Two"))
        common = 0
        while first.contact_id[common] == second.contact_id[common]:
            common += 1
        with self.assertRaises(RoadbookError.Ambiguous):
            book.resolve_id(first.contact_id[:common])
        with self.assertRaises(RoadbookError.NotFound):
            book.edit(first.contact_id, [Edit.COMPLETE_TASK(NOBODY)])
        # Nothing of a group is done where one of it does not fit.
        with self.assertRaises(RoadbookError.Invalid):
            book.edit(first.contact_id, company("Half") + [text(Field.BIRTHDAY, "?")])
        self.assertEqual(book.contact(first.contact_id).company, "One")

    async def test_nothing_to_undo_is_not_allowed(self):
        self.serve()
        book = await self.device()
        with self.assertRaises(RoadbookError.NotAllowed):
            book.undo()
        with self.assertRaises(RoadbookError.NotAllowed):
            book.extend_lease("NO-SUCH-CODE")
        self.assertIsNone(book.lease(), "none before the first sync")
        await book.sync_once(WAIT)
        self.assertEqual(book.lease().state, LeaseState.VALID)
        self.assertEqual(book.status().lease.until, book.lease().until)

    async def test_a_second_handle_is_refused_with_the_holder(self):
        book = await self.open()
        with self.assertRaises(RoadbookError.Locked) as raised:
            await self.open()
        import os

        self.assertIn(str(os.getpid()), raised.exception.holder)
        book.close()
        (await self.open()).close()

    async def test_suspended_closed_and_open_again(self):
        self.serve()
        book = await self.device()
        saved = book.create(company("Kept"))
        book.suspend()
        book.suspend()
        with self.assertRaises(RoadbookError.Suspended):
            book.list(everything())
        with self.assertRaises(RoadbookError.Suspended):
            await book.sync_once(WAIT)
        book.resume()
        book.resume()
        self.assertEqual(book.contact(saved.contact_id).company, "Kept")
        book.close()
        book.close()
        for call in (book.status, book.suspend, book.resume, book.start_sync, lambda: book.wipe(True)):
            with self.assertRaises(RoadbookError.Closed):
                call()
        again = await self.open()
        self.assertEqual(again.contact(saved.contact_id).company, "Kept")

    async def test_a_panic_inside_becomes_an_error_with_a_report_and_all_goes_on(self):
        import os

        self.serve()
        book = await self.device()
        for call in ("create", "list", "sync_once"):
            os.environ["ROADBOOK_FFI_PANIC"] = call
            try:
                with self.assertRaises(RoadbookError.Panic) as raised:
                    if call == "create":
                        book.create(company("x"))
                    elif call == "list":
                        book.list(everything())
                    else:
                        await book.sync_once(WAIT)
            finally:
                del os.environ["ROADBOOK_FFI_PANIC"]
            self.assertIn(f"`{call}`", raised.exception.report)
        book.create(company("Goes on"))
        await book.sync_once(WAIT)
        self.assertEqual(book.list(everything()).total, 1)

    async def test_a_revoked_device_is_wiped_and_says_so(self):
        server = self.serve()
        book = await self.device()
        book.create(company("Secret"))
        await book.sync_once(WAIT)
        server.admin("device", "revoke", book.status().device.device_id)
        with self.assertRaises((RoadbookError.Wiped, RoadbookError.Refused)):
            await book.sync_once(WAIT)
        status = book.status()
        self.assertFalse(status.enrolled)
        self.assertTrue(status.wiped.handed_over)
        with self.assertRaises(RoadbookError.Wiped):
            book.list(everything())

    async def test_wiping_asks_before_edits_are_lost(self):
        self.serve()
        book = await self.device()
        book.create(company("Only here"))
        with self.assertRaises(RoadbookError.NotAllowed):
            book.wipe(False)
        await book.sync_once(WAIT)
        book.wipe(False)
        with self.assertRaises(RoadbookError.Closed):
            book.status()
        again = await self.device()
        await again.sync_once(WAIT)
        self.assertEqual(again.list(everything()).total, 1)

    async def test_a_server_that_does_not_answer_is_offline_when_the_time_is_over(self):
        server = self.serve()
        book = await self.device()
        book.create(company("Waits"))
        server.signal(signal.SIGSTOP)
        try:
            with self.assertRaises(RoadbookError.Offline):
                await book.sync_once(timedelta(milliseconds=200))
        finally:
            server.signal(signal.SIGCONT)
        self.assertEqual(book.status().sync.unsent, 1)
        await book.sync_once(WAIT)
        self.assertEqual(book.status().sync.unsent, 0)
        settings = OpenSettings(home="")
        with self.assertRaises(RoadbookError.Invalid):
            await Roadbook.open(settings)
