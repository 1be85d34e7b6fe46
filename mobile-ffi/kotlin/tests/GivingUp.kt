/** Calls that are given up, an app that goes to the background, one that closes in the midst. */

import app.roadbook.*
import java.time.Duration
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.supervisorScope
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeout

val givingUp = subject("giving up") {
    test("a call that is cancelled leaves no lock and no task") {
        serve()
        val phone = device()
        phone.create(company("Waits"))
        server.signal("STOP")
        try {
            coroutineScope {
                repeat(10) {
                    val call = launch(start = CoroutineStart.UNDISPATCHED) { phone.syncOnce(WAIT) }
                    delay(20)
                    holds(call.isActive) { "it waits for the server" }
                    call.cancelAndJoin()
                    holds(call.isCancelled)
                }
                val call = launch(start = CoroutineStart.UNDISPATCHED) { phone.enrol(server.url, "ANY", "phone") }
                delay(20)
                call.cancelAndJoin()
            }
        } finally {
            server.signal("CONT")
        }
        withTimeout(WAIT.toMillis()) { phone.syncOnce(WAIT) }
        equal(phone.status().sync.unsent, 0uL)
        phone.shutDown()
        open().shutDown()
    }

    test("suspending a hundred times while it syncs loses nothing") {
        serve()
        val phone = device("phone")
        val tablet = device("tablet")
        tablet.startSync()
        phone.startSync()
        for (n in 0 until 100) {
            phone.create(company("Company $n"))
            phone.suspend()
            // Nothing is held while suspended: another handle could open it.
            if (n % 25 == 0) open().shutDown()
            phone.resume()
        }
        phone.syncOnce(WAIT)
        tablet.listFlow(ListQuery()).until { it.total == 100uL }
        equal(phone.quarantine(), listOf())
        equal(phone.status().sync.started, true)
    }

    test("closing while it syncs ends everything") {
        serve()
        for (n in 0 until 10) {
            val phone = if (n == 0) device() else open()
            phone.create(company("Company $n"))
            phone.startSync()
            supervisorScope {
                val calls = List(3) { async(Dispatchers.Default) { runCatching { phone.syncOnce(WAIT) } } }
                delay(10L * n)
                withContext(Dispatchers.IO) { phone.shutDown() }
                for (call in calls) {
                    val error = withTimeout(WAIT.toMillis()) { call.await() }.exceptionOrNull() ?: continue
                    holds(error is RoadbookException.Closed || error is RoadbookException.Suspended) { "$error" }
                }
            }
        }
        val phone = open()
        phone.syncOnce(WAIT)
        equal(phone.list(ListQuery()).total, 10uL)
    }
}
