/** Every error that an app acts on, and that nothing was changed by a call that failed. */

import app.roadbook.*
import java.io.File
import java.time.Duration

val errors = subject("errors") {
    test("a device that is not enrolled says so") {
        val book = open()
        val status = book.status()
        equal(Triple(status.enrolled, status.device, status.contacts), Triple(false, null, 0uL))
        val error = fails<RoadbookException.NotEnrolled> { book.create(company("x")) }
        holds("code" in error.reason) { error.reason }
        fails<RoadbookException.NotEnrolled> { book.syncOnce(WAIT) }
        fails<RoadbookException.NotEnrolled> { book.startSync() }
    }

    test("a wrong code, a wrong address and no network are told apart") {
        serve()
        val book = open()
        val refused = fails<RoadbookException.Refused> { book.enrol(server.url, "WRONG-CODE", "phone") }
        equal(refused.code, Refusal.CODE_REFUSED)
        fails<RoadbookException.Address> { book.enrol("ftp://nowhere", "X", "phone") }
        fails<RoadbookException.Offline> { book.enrol("http://127.0.0.1:9", "X", "phone") }
        equal(book.status().enrolled, false)
    }

    test("a scanned invitation enrols, and another text is refused") {
        serve(plain = false)
        val book = open()
        for (text in listOf("https://crm.example.com", "roadbook://enrol?url=https%3A%2F%2Fx", "9783161484100")) {
            val error = fails<RoadbookException.Invalid> { book.enrolScanned(text, "phone") }
            equal(error.field, "text")
            holds("scan" in error.wayOut) { error.wayOut }
        }
        // The server's own link: with its address, a code and the fingerprint of its certificate.
        val invited = server.office("invite", "rep", "--json")
        val link = Regex("\"link\":\\s*\"([^\"]*)\"").find(invited)!!.groupValues[1]
        val device = book.enrolScanned(link, "phone")
        equal(Pair(device.serverUrl, device.user.login), Pair(server.url, "rep"))
        book.create(company("Scanned"))
        book.syncOnce(WAIT)
        equal(book.status().sync.unsent, 0uL)
    }

    test("what is invalid, not found or ambiguous changes nothing") {
        serve()
        val book = device()
        val error = fails<RoadbookException.Invalid> { book.create(listOf(text(Field.BIRTHDAY, "yesterday"))) }
        equal(error.field, "birthday")
        holds(error.reason.isNotEmpty() && error.wayOut.isNotEmpty())
        fails<RoadbookException.Invalid> { book.create(listOf()) }
        equal(fails<RoadbookException.Invalid> { book.list(ListQuery(filter = "staus:customer")) }.field, "filter")
        fails<RoadbookException.Invalid> { book.contact("nonsense") }
        fails<RoadbookException.NotFound> { book.contact(NOBODY) }
        fails<RoadbookException.NotFound> { book.edit(NOBODY, company("x")) }
        fails<RoadbookException.NotFound> { book.history(NOBODY) }
        fails<RoadbookException.NotFound> { book.row(NOBODY) }
        fails<RoadbookException.NotFound> { book.resolveId("ffff") }
        equal(book.receipt(NOBODY), null)
        val first = book.create(company("One")).contactId
        val second = book.create(company("Two")).contactId
        fails<RoadbookException.Ambiguous> { book.resolveId(first.commonPrefixWith(second)) }
        fails<RoadbookException.NotFound> { book.edit(first, listOf(Edit.CompleteTask(NOBODY))) }
        // Nothing of a group is done where one of it does not fit.
        fails<RoadbookException.Invalid> { book.edit(first, company("Half") + text(Field.BIRTHDAY, "?")) }
        equal(book.contact(first).company, "One")
        fails<RoadbookException.Invalid> { open(settings = OpenSettings("")) }
    }

    test("what there is nothing to do for is not allowed") {
        serve()
        val book = device()
        fails<RoadbookException.NotAllowed> { book.undo() }
        fails<RoadbookException.NotAllowed> { book.extendLease("NO-SUCH-CODE") }
        equal(book.lease(), null, "none before the first sync")
        book.syncOnce(WAIT)
        equal(book.lease()!!.state, LeaseState.VALID)
        equal(book.status().lease!!.until, book.lease()!!.until)
    }

    test("a second handle on one home is refused with who has it") {
        val book = open()
        val error = fails<RoadbookException.Locked> { open() }
        holds(ProcessHandle.current().pid().toString() in error.holder) { error.holder }
        book.shutDown()
        open().shutDown()
    }

    test("suspended, closed, and open again") {
        serve()
        val book = device()
        val id = book.create(company("Kept")).contactId
        book.suspend()
        book.suspend()
        fails<RoadbookException.Suspended> { book.list(ListQuery()) }
        fails<RoadbookException.Suspended> { book.syncOnce(WAIT) }
        book.resume()
        book.resume()
        equal(book.contact(id).company, "Kept")
        book.shutDown()
        book.shutDown()
        fails<RoadbookException.Closed> { book.status() }
        fails<RoadbookException.Closed> { book.suspend() }
        fails<RoadbookException.Closed> { book.resume() }
        fails<RoadbookException.Closed> { book.startSync() }
        fails<RoadbookException.Closed> { book.wipe(true) }
        equal(open().contact(id).company, "Kept")
    }

    test("a panic inside becomes an error with a report, and all goes on") {
        serve()
        val book = device()
        for (call in listOf("create", "list", "sync_once")) {
            C.library.setenv("ROADBOOK_FFI_PANIC", call, 1)
            val error = try {
                fails<RoadbookException.Panic> {
                    when (call) {
                        "create" -> book.create(company("x"))
                        "list" -> book.list(ListQuery())
                        else -> book.syncOnce(WAIT)
                    }
                }
            } finally {
                C.library.unsetenv("ROADBOOK_FFI_PANIC")
            }
            holds("`$call`" in error.report) { error.report }
        }
        book.create(company("Goes on"))
        book.syncOnce(WAIT)
        equal(book.list(ListQuery()).total, 1uL)
    }

    test("wiping asks before edits are lost") {
        serve()
        val book = device()
        book.create(company("Only here"))
        fails<RoadbookException.NotAllowed> { book.wipe(false) }
        book.syncOnce(WAIT)
        book.wipe(false)
        fails<RoadbookException.Closed> { book.status() }
        val again = device()
        again.syncOnce(WAIT)
        equal(again.list(ListQuery()).total, 1uL)
        again.create(company("Given up"))
        again.wipe(true)
        val once = device()
        once.syncOnce(WAIT)
        equal(once.list(ListQuery()).total, 1uL)
    }

    test("a server that does not answer is offline when the time is over") {
        serve()
        val book = device()
        book.create(company("Waits"))
        server.signal("STOP")
        try {
            fails<RoadbookException.Offline> { book.syncOnce(Duration.ofMillis(200)) }
        } finally {
            server.signal("CONT")
        }
        equal(book.status().sync.unsent, 1uL)
        book.syncOnce(WAIT)
        equal(book.status().sync.unsent, 0uL)
    }
}
