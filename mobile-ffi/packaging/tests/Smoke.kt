/** What an app gets from the jar: open, enrol, create, list, sync. `test_packages.py` runs it. */

import app.roadbook.*
import java.time.Duration
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking

fun main(args: Array<String>) = runBlocking<Unit> {
    val (url, code, home) = args
    val book = Roadbook.open(OpenSettings(home, app = "smoke/1.0"))
    book.enrol(url, code, "jar")
    check(book.status().encrypted)
    val saved = book.create(listOf(Edit.Set(Field.COMPANY, Value.Text("Nordsø Fisk"))))
    check(book.list(ListQuery()).rows.map { it.displayName } == listOf("Nordsø Fisk"))
    check(book.listFlow(ListQuery()).first().total == 1uL)
    book.syncOnce(Duration.ofMinutes(1))
    check(book.receipt(saved.editId) == Receipt.MERGED)
    book.shutDown()
    println("held")
}
