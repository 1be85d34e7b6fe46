/** Observers, which the library calls from threads of its own. */

import app.roadbook.*
import java.lang.ref.Reference
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.withTimeout

private open class Pages(val page: (ContactPage) -> Unit) : ListObserver {
    override fun onPage(page: ContactPage) = page(page)
    override fun onError(error: RoadbookException) = throw IllegalStateException("thrown by the app")
}

/** An observer more; where there are too many, those whose end is on its way are waited for. */
private suspend fun another(meanwhile: () -> Unit = {}, observe: () -> ObserverHandle): ObserverHandle =
    withTimeout(WAIT.toMillis()) {
        while (true) {
            try {
                return@withTimeout observe()
            } catch (error: RoadbookException.NotAllowed) {
                meanwhile()
                delay(5)
            }
        }
        @Suppress("UNREACHABLE_CODE")
        throw IllegalStateException()
    }

val watching = subject("watching") {
    test("the present state comes at once, and changes follow") {
        serve()
        val phone = device()
        phone.listFlow(ListQuery()).watched { pages ->
            phone.syncFlow().watched { syncs ->
                equal(pages.until { true }.total, 0uL)
                equal(syncs.until { true }.unsent, 0uL)
                val id = phone.create(company("Watched")).contactId
                equal(pages.until { it.total == 1uL }.rows[0].company, "Watched")
                syncs.until { it.unsent == 1uL }
                phone.contactFlow(id).watched { contacts ->
                    contacts.until { it?.company == "Watched" }
                    phone.edit(id, company("Renamed"))
                    contacts.until { it?.company == "Renamed" }
                }
                phone.receiptsFlow().watched { receipts ->
                    equal(receipts.until { true }.map { it.receipt }, listOf(Receipt.SAVED, Receipt.SAVED))
                    phone.startSync()
                    val merged = mutableSetOf<String>()
                    while (merged.size < 2) {
                        merged += receipts.until { true }.filter { it.receipt == Receipt.MERGED }.map { it.editId }
                    }
                }
                syncs.until { it.unsent == 0uL }
            }
        }
        equal(phone.alertsFlow().first(), listOf())
        equal(phone.contactFlow(NOBODY).first(), null)
        fails<RoadbookException.Invalid> { phone.listFlow(ListQuery(filter = "staus:x")).first() }
    }

    test("observers are called from threads of the library, and one that throws or is slow harms nobody") {
        serve()
        val phone = device()
        val here = Thread.currentThread()
        val threads = ConcurrentLinkedQueue<Thread>()
        val free = CountDownLatch(1)
        val handles = listOf(
            phone.observeList(ListQuery(), Pages {
                threads += Thread.currentThread()
                throw IllegalStateException("thrown by the app")
            }),
            phone.observeList(ListQuery(), Pages { free.await(WAIT.toSeconds(), TimeUnit.SECONDS) }),
        )
        phone.listFlow(ListQuery()).watched { pages ->
            for (n in 0 until 50) phone.create(company("Company $n"))
            pages.until { it.total == 50uL }
        }
        free.countDown()
        holds(threads.isNotEmpty() && here !in threads)
        for (handle in handles) {
            handle.cancel()
            handle.cancel()
            handle.close()
        }
    }

    test("an observer is called at most once in a frame") {
        serve()
        val phone = device()
        val times = ConcurrentLinkedQueue<Long>()
        val last = CountDownLatch(1)
        val handle = phone.observeList(ListQuery(), Pages {
            times += System.nanoTime()
            if (it.total == 100uL) last.countDown()
        })
        for (n in 0 until 100) phone.create(company("Company $n"))
        holds(last.await(WAIT.toSeconds(), TimeUnit.SECONDS)) { "the last state never came" }
        handle.cancel()
        // From the start of one call to that of the next; a thread may start late, never early by much.
        val gaps = times.zipWithNext { before, after -> after - before }.sorted()
        holds(gaps[gaps.size / 2] >= 15_000_000) { "$gaps ns" }
    }

    test("an observer ends when its handle is cancelled or thrown away, or the book is closed") {
        serve()
        val phone = device()
        val calls = AtomicInteger()
        val counts = object : SyncObserver {
            override fun onSync(state: SyncState) {
                calls.incrementAndGet()
            }
        }
        // More than may run at once: those before have ended.
        repeat(300) { another { phone.observeSync(counts) }.close() }
        repeat(200) { another(meanwhile = System::gc) { phone.observeSync(counts) } }
        val kept = another(meanwhile = System::gc) { phone.observeSync(counts) }
        phone.listFlow(ListQuery()).watched { pages ->
            pages.until { true }
            phone.shutDown()
            fails<RoadbookException.Closed> { phone.observeSync(counts) }
        }
        Reference.reachabilityFence(kept)
    }
}
