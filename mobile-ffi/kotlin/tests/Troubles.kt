/** What goes wrong in the field, and what an app is told. */

import app.roadbook.*
import java.io.File
import java.io.RandomAccessFile
import java.time.Duration
import kotlinx.coroutines.flow.first

private const val DAY_MS = 86_400_000L

private val World.database get() = File(home("phone"), "replica.db")

/** As if the phone had been off for so many days: the replica is not open. */
private fun World.passDays(days: Int) = sql(
    database,
    "UPDATE meta SET value = json_set(value, '\$.boot', 'another', '\$.wall', " +
        "json_extract(value, '\$.wall') - ${days * DAY_MS}) WHERE key = 'lease'",
)

val troubles = subject("troubles") {
    test("an ended lease locks reading and takes edits, until a contact or a code of the office") {
        serve()
        var book = device()
        val id = book.create(company("Locked")).contactId
        book.syncOnce(WAIT)
        val device = book.status().device!!.deviceId
        book.shutDown()
        passDays(8)
        book = open()
        equal(book.lease()!!.state, LeaseState.RENEW)
        equal(book.alertsFlow().first(), listOf<Alert>(Alert.LeaseRenew(book.lease()!!.until)))
        equal(book.list(ListQuery()).total, 1uL)
        book.shutDown()

        passDays(8)
        book = open()
        equal(Pair(book.lease()!!.state, book.lease()!!.left), Pair(LeaseState.ENDED, Duration.ZERO))
        val error = fails<RoadbookException.LeaseEnded> { book.list(ListQuery()) }
        holds("code" in error.reason) { error.reason }
        fails<RoadbookException.LeaseEnded> { book.contact(id) }
        fails<RoadbookException.LeaseEnded> { book.search("Locked") }
        fails<RoadbookException.LeaseEnded> { book.listFlow(ListQuery()).first() }
        book.alertsFlow().watched { alerts ->
            holds(alerts.until { true }.single() is Alert.LeaseEnded)
            val late = book.edit(id, company("In the dark"))!!
            equal(book.receipt(late.editId), Receipt.SAVED)
            book.syncOnce(WAIT)
            equal(alerts.until { true }, listOf())
        }
        equal(book.contact(id).company, "In the dark")
        book.shutDown()

        passDays(20)
        book = open()
        val code = server.admin("device", "extend", device, "--days", "3")
        fails<RoadbookException.NotAllowed> { book.extendLease(code.dropLast(4) + "0000") }
        equal(book.extendLease(code)!!.state, LeaseState.VALID)
        equal(book.list(ListQuery()).total, 1uL)
        fails<RoadbookException.NotAllowed> { book.extendLease(code) }
    }

    test("an app that is too old uploads, gets nothing, and is told") {
        serve()
        val other = device("other")
        other.create(company("News"))
        other.syncOnce(WAIT)
        sql(File(home("server"), "roadbook.db"), "UPDATE workspace SET minimum_app = 'suite/1.10'")
        val settings = OpenSettings(home("phone"), app = "suite/1.9")
        val book = device("phone", settings)
        val saved = book.create(company("Goes up"))
        val report = book.syncOnce(WAIT)
        equal(report.heldBack, Refusal.MINIMUM_VERSION)
        holds("suite/1.10" in report.heldBackReason!!) { report.heldBackReason!! }
        holds(book.receipt(saved.editId) in listOf(Receipt.STORED, Receipt.MERGED))
        equal(book.list(ListQuery()).total, 1uL)
        equal(book.status().sync.refusal, Refusal.MINIMUM_VERSION)
        holds(book.alertsFlow().first().single() is Alert.MinimumVersion)
        book.shutDown()
        val newer = open("phone", settings.copy(app = "suite/1.10"))
        newer.syncOnce(WAIT)
        equal(newer.list(ListQuery()).total, 2uL)
        equal(newer.alertsFlow().first(), listOf())
    }

    test("a file of a newer version is left alone") {
        open().shutDown()
        sql(database, "PRAGMA user_version = 99")
        repeat(2) { holds("99" in fails<RoadbookException.NewerFile> { open() }.reason) }
    }

    test("a certificate that is not the pinned one is not trusted") {
        serve(plain = false)
        val book = open()
        val code = server.admin("invite", "rep")
        for (fingerprint in listOf(null, "AAAA" + server.fingerprint!!.drop(4))) {
            fails<RoadbookException.Untrusted> { book.enrol(server.url, code, "phone", fingerprint) }
        }
        book.enrol(server.url, code, "phone", server.fingerprint)
        book.create(company("Over TLS"))
        book.syncOnce(WAIT)
        equal(book.status().sync.unsent, 0uL)
    }

    test("a damaged database is set aside, and nothing is lost") {
        serve()
        var book = device()
        book.create(company("Sent"))
        book.syncOnce(WAIT)
        book.create(company("Only here"))
        book.shutDown()
        RandomAccessFile(database, "rw").use { it.write(ByteArray(16)) }
        book = open()
        holds(File(home("phone"), book.status().setAsideFile!!).exists())
        book.syncOnce(WAIT)
        equal(book.list(ListQuery()).rows.map { it.company }.toSet(), setOf<String?>("Sent", "Only here"))
    }

    test("a damaged contact is told, and fetched again") {
        serve()
        val other = device("other")
        val id = other.create(company("Whole")).contactId
        other.syncOnce(WAIT)
        var book = device()
        book.syncOnce(WAIT)
        book.shutDown()
        sql(database, "UPDATE snapshot SET bytes = zeroblob(length(bytes))")
        book = open()
        fails<RoadbookException.Damaged> { book.contact(id) }
        book.syncOnce(WAIT)
        equal(book.contact(id).company, "Whole")
    }

    test("a home that can't be a directory is told") {
        File(home("phone")).writeText("")
        fails<RoadbookException.Storage> { open() }
    }

    test("a full disk is told, and saves nothing in part") {
        serve()
        val book = device()
        val id = book.create(company("Before")).contactId
        onAFullDisk {
            val error = fails<RoadbookException.Storage> { book.edit(id, company("Not saved")) }
            holds(error.reason.isNotEmpty())
            equal(book.contact(id).company, "Before")
            equal(book.outbox().size, 1)
        }
        book.edit(id, company("Saved"))
        equal(book.contact(id).company, "Saved")
        book.syncOnce(WAIT)
        equal(book.status().sync.unsent, 0uL)
    }

    test("an exchange that runs hears that the device is revoked, and the app is told") {
        serve()
        val book = device()
        book.create(company("Secret"))
        book.syncOnce(WAIT)
        book.alertsFlow().watched { alerts ->
            book.startSync()
            server.admin("device", "revoke", book.status().device!!.deviceId)
            val told = alerts.until { told -> told.any { it is Alert.Wiped } }
            equal(told.filterIsInstance<Alert.Wiped>().single().wipe.edits, 0uL)
        }
        fails<RoadbookException.Wiped> { book.create(company("x")) }
        fails<RoadbookException.Wiped> { book.list(ListQuery()) }
        // A new code begins anew, in the same directory.
        book.enrol(server.url, server.admin("invite", "rep"), "phone")
        book.syncOnce(WAIT)
        equal(book.list(ListQuery()).total, 1uL)
    }
}
