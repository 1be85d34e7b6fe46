/** Ten thousand contacts, and a hundred thousand calls. */

import app.roadbook.*
import java.io.File
import java.time.Duration
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.CoroutineStart

/** Bytes of memory that the process has. */
private fun resident(): Long {
    System.gc()
    return File("/proc/self/statm").readText().split(" ")[1].toLong() * 4096
}

val much = subject("much") {
    test("ten thousand contacts come, are listed and are searched") {
        serve()
        val sheet = File(dir, "contacts.csv")
        sheet.printWriter().use { out ->
            out.println("given_name,family_name,company,city,phone")
            for (n in 0 until 10_000) {
                out.println("Given$n,Family%05d,Company ${n % 500},City ${n % 50},+49 30 %06d".format(n, n))
            }
        }
        server.admin("import", sheet.path, "--owner", "rep")
        val phone = device()
        coroutineScope {
            val call = async(start = CoroutineStart.UNDISPATCHED) { phone.syncOnce(Duration.ofMinutes(4)) }
            val progress = phone.syncFlow().until { it.firstSync != null }.firstSync!!
            holds(progress.done < progress.total)
            call.await()
        }
        val page = phone.list(ListQuery(offset = 5_000u, limit = 50u))
        equal(Pair(page.total, page.rows.size), Pair(10_000uL, 50))
        equal(page.rows[0].displayName, "Given5000 Family05000")
        equal(phone.search("Family09999")[0].displayName, "Given9999 Family09999")
        equal(phone.list(ListQuery(filter = "city:\"City 7\"")).total, 200uL)
        val took = (0 until 100).map {
            val began = System.nanoTime()
            phone.list(ListQuery(offset = (it * 50).toUInt(), limit = 50u))
            System.nanoTime() - began
        }.sorted()
        println("a window of 50 of 10,000: %.2f ms (median)".format(took[50] / 1e6))
    }

    test("memory is flat over a hundred thousand calls") {
        serve()
        val phone = device()
        val id = phone.create(company("One")).contactId
        fun calls(count: Int) = repeat(count) {
            phone.status()
            phone.list(ListQuery())
            phone.contact(id)
            fails<RoadbookException.Invalid> { phone.contact("nonsense") }
            phone.row(id)
        }
        // The compiler of the JVM takes its share first.
        calls(10_000)
        val before = resident()
        calls(20_000)
        val grown = resident() - before
        println("memory after 100,000 more calls: ${grown / 1024} KiB more")
        holds(grown < 8_000_000) { "$grown bytes more after 100,000 calls" }
    }
}
