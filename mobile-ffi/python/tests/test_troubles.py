"""What goes wrong in the field: leases that end, versions that are too old, certificates, files, disks;
and what an app is told."""

import resource
from datetime import timedelta

from harness import WAIT, Case, company, everything, roadbook, text, until
from p256 import Enclave
from roadbook import Alert, Field, LeaseState, Receipt, Refusal, Roadbook, RoadbookError

DAY_MS = 86_400_000


class Leases(Case):
    def pass_days(self, days):
        """As if the phone had been off for so many days: the replica is not open."""
        self.sql(
            self.dir / "phone" / "replica.db",
            "UPDATE meta SET value = json_set(value, '$.boot', 'another', '$.wall',"
            f" json_extract(value, '$.wall') - {days * DAY_MS}) WHERE key = 'lease'",
        )

    async def test_an_ended_lease_locks_reading_and_takes_edits_until_a_contact(self):
        self.serve()
        book = await self.device()
        saved = book.create(company("Locked"))
        await book.sync_once(WAIT)
        device = book.status().device.device_id
        book.close()
        self.pass_days(8)
        book = await self.open()
        self.assertEqual(book.lease().state, LeaseState.RENEW)
        async with roadbook.watch_alerts(book) as alerts:
            [alert] = await until(alerts, lambda _: True)
        self.assertTrue(isinstance(alert, Alert.LEASE_RENEW) and alert.until == book.lease().until)
        self.assertEqual(book.list(everything()).total, 1)
        book.close()

        self.pass_days(8)
        book = await self.open()
        self.assertEqual((book.lease().state, book.lease().left), (LeaseState.ENDED, timedelta()))
        for call in (
            lambda: book.list(everything()),
            lambda: book.contact(saved.contact_id),
            lambda: book.search("Locked"),
            lambda: book.history(saved.contact_id),
            lambda: book.row(saved.contact_id),
            lambda: book.quarantine(),
        ):
            with self.assertRaises(RoadbookError.LeaseEnded) as raised:
                call()
            self.assertIn("code", raised.exception.reason)
        async with roadbook.watch_alerts(book) as alerts, roadbook.watch_list(book, everything()) as pages:
            [alert] = await until(alerts, lambda _: True)
            self.assertIsInstance(alert, Alert.LEASE_ENDED)
            with self.assertRaises(RoadbookError.LeaseEnded):
                await until(pages, lambda _: True)
            # Edits are taken as ever, and a contact with the server brings everything back.
            late = book.edit(saved.contact_id, company("In the dark"))
            self.assertEqual(book.receipt(late.edit_id), Receipt.SAVED)
            await book.sync_once(WAIT)
            page = await until(pages, lambda page: page.rows[0].company == "In the dark")
            self.assertEqual(page.total, 1)
            self.assertEqual(await until(alerts, lambda _: True), [])
        book.close()

        # Without a network, a code of the office does.
        self.pass_days(20)
        book = await self.open()
        self.assertEqual(book.lease().state, LeaseState.ENDED)
        code = self.server.admin("device", "extend", device, "--days", "3")
        with self.assertRaises(RoadbookError.NotAllowed):
            book.extend_lease(code[:-4] + "0000")
        self.assertEqual(book.extend_lease(code).state, LeaseState.VALID)
        self.assertEqual(book.list(everything()).total, 1)
        with self.assertRaises(RoadbookError.NotAllowed) as raised:
            book.extend_lease(code)
        self.assertIn("used", raised.exception.reason)


class Versions(Case):
    async def test_an_app_that_is_too_old_uploads_gets_nothing_and_is_told(self):
        server = self.serve()
        other = await self.device("other")
        other.create(company("News"))
        await other.sync_once(WAIT)
        self.sql(self.dir / "server" / "roadbook.db", "UPDATE workspace SET minimum_app = 'suite/1.10'")
        settings = roadbook.OpenSettings(home=str(self.dir / "phone"), app="suite/1.9")
        book = await self.device("phone", settings)
        saved = book.create(company("Goes up"))
        report = await book.sync_once(WAIT)
        self.assertEqual(report.held_back, Refusal.MINIMUM_VERSION)
        self.assertIn("suite/1.10", report.held_back_reason)
        self.assertIn(book.receipt(saved.edit_id), (Receipt.STORED, Receipt.MERGED))
        self.assertEqual(book.list(everything()).total, 1)
        self.assertEqual(book.status().sync.refusal, Refusal.MINIMUM_VERSION)
        self.assertIn("suite/1.10", book.status().sync.trouble)
        async with roadbook.watch_alerts(book) as alerts:
            [alert] = await until(alerts, bool)
            self.assertIsInstance(alert, Alert.MINIMUM_VERSION)
            self.assertIn("update", alert.reason)
        book.close()
        book = await self.open("phone", roadbook.OpenSettings(home=settings.home, app="suite/1.10"))
        await book.sync_once(WAIT)
        self.assertEqual(book.list(everything()).total, 2)

    async def test_a_file_of_a_newer_version_is_left_alone(self):
        book = await self.open()
        book.close()
        self.sql(self.dir / "phone" / "replica.db", "PRAGMA user_version = 99")
        for _ in range(2):
            with self.assertRaises(RoadbookError.NewerFile) as raised:
                await self.open()
            self.assertIn("99", raised.exception.reason)


class Certificates(Case):
    async def test_a_certificate_that_is_not_the_pinned_one_is_not_trusted(self):
        server = self.serve(plain=False)
        book = await self.open()
        code = server.admin("invite", "rep")
        for fingerprint in (None, "AAAA" + server.fingerprint[4:]):
            with self.assertRaises(RoadbookError.Untrusted):
                await book.enrol(server.url, code, "phone", fingerprint)
        await book.enrol(server.url, code, "phone", server.fingerprint)
        book.create(company("Over TLS"))
        await book.sync_once(WAIT)
        self.assertEqual(book.status().sync.unsent, 0)


class Files(Case):
    async def test_a_damaged_database_is_set_aside_and_nothing_is_lost(self):
        self.serve()
        book = await self.device()
        book.create(company("Sent"))
        await book.sync_once(WAIT)
        book.create(company("Only here"))
        book.close()
        file = self.dir / "phone" / "replica.db"
        whole = bytearray(file.read_bytes())
        whole[0:16] = b"\0" * 16
        file.write_bytes(whole)
        book = await self.open()
        aside = book.status().set_aside_file
        self.assertTrue((self.dir / "phone" / aside).exists())
        await book.sync_once(WAIT)
        self.assertEqual({row.company for row in book.list(everything()).rows}, {"Sent", "Only here"})

    async def test_a_damaged_contact_is_told_and_fetched_again(self):
        self.serve()
        other = await self.device("other")
        saved = other.create(company("Whole"))
        await other.sync_once(WAIT)
        book = await self.device()
        await book.sync_once(WAIT)
        self.assertEqual(book.contact(saved.contact_id).company, "Whole")
        book.close()
        self.sql(self.dir / "phone" / "replica.db", "UPDATE snapshot SET bytes = zeroblob(length(bytes))")
        book = await self.open()
        with self.assertRaises(RoadbookError.Damaged):
            book.contact(saved.contact_id)
        await book.sync_once(WAIT)
        self.assertEqual(book.contact(saved.contact_id).company, "Whole")

    async def test_a_disk_that_fails_is_told_and_saves_nothing_in_part(self):
        self.serve()
        book = await self.device()
        saved = book.create(company("Before"))
        (self.dir / "no directory").write_text("")
        with self.assertRaises(RoadbookError.Storage):
            await self.open("no directory")
        # No file of this process may grow any more, as on a full disk.
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
        try:
            with self.assertRaises(RoadbookError.Storage) as raised:
                book.edit(saved.contact_id, company("Not saved"))
            self.assertTrue(raised.exception.reason)
            self.assertEqual(book.contact(saved.contact_id).company, "Before")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        self.assertEqual(len(book.outbox()), 1)
        book.edit(saved.contact_id, company("Saved"))
        self.assertEqual(book.contact(saved.contact_id).company, "Saved")
        await book.sync_once(WAIT)


class Revoked(Case):
    async def test_an_exchange_that_runs_hears_that_the_device_is_revoked_and_the_app_is_told(self):
        server = self.serve()
        book = await self.device()
        book.create(company("Secret"))
        await book.sync_once(WAIT)
        async with roadbook.watch_alerts(book) as alerts, roadbook.watch_list(book, everything()) as pages:
            await until(pages, lambda page: page.total == 1)
            book.start_sync()
            server.admin("device", "revoke", book.status().device.device_id)
            told = await until(alerts, lambda alerts: any(isinstance(one, Alert.WIPED) for one in alerts))
            with self.assertRaises(RoadbookError.Wiped):
                await until(pages, lambda _: False)
        [wiped] = [one for one in told if isinstance(one, Alert.WIPED)]
        self.assertEqual(wiped.wipe.edits, 0)
        with self.assertRaises(RoadbookError.Wiped):
            book.create(company("x"))
        # A new code begins anew, in the same directory.
        await book.enrol(server.url, server.admin("invite", "rep"), "phone")
        await book.sync_once(WAIT)
        self.assertEqual(book.list(everything()).total, 1)

    async def test_a_key_that_the_phones_hardware_keeps_speaks_for_the_device(self):
        self.serve()
        enclave = Enclave()
        settings = roadbook.OpenSettings(home=str(self.dir / "phone"), signer=enclave)
        book = await self.device("phone", settings)
        book.create(company("Signed"))
        await book.sync_once(WAIT)
        self.assertGreater(enclave.signed, 0)
        enclave.locked = True
        with self.assertRaises(RoadbookError.Keys) as raised:
            await book.sync_once(WAIT)
        self.assertIn("unlock the phone", raised.exception.reason)
        enclave.locked = False
        await book.sync_once(WAIT)
        book.close()
        other = await self.open("phone", roadbook.OpenSettings(home=settings.home, signer=Enclave()))
        with self.assertRaises(RoadbookError.Keys):
            await other.sync_once(WAIT)
