/**
 * What a call through the border costs, from Kotlin on the JVM: `mobile-ffi/overhead` runs it beside the
 * same calls in Rust, on one replica.
 */

import app.roadbook.*
import kotlinx.coroutines.runBlocking

private fun measure(name: String, count: Int, call: (Int) -> Unit) {
    // The compiler of the JVM takes its time first, as it does in an app that has run for a minute.
    repeat(maxOf(count, 2_000)) { call(it % count) }
    val took = LongArray(count) {
        val began = System.nanoTime()
        call(it)
        System.nanoTime() - began
    }.sorted()
    println("%-7s %-28s %9.1f us %9.1f us".format("kotlin", name, took[count / 2] / 1e3, took[count * 95 / 100] / 1e3))
}

fun main(arguments: Array<String>) = runBlocking {
    val book = Roadbook.open(OpenSettings(home = arguments[0]))
    val ids = book.ids()
    println("%-7s %-28s %12s %12s".format("kotlin", "call", "median", "95th"))
    measure("empty (lease)", 2_000) { book.lease() }
    measure("contact", 1_000) { book.contact(ids[it % 100]) }
    measure("list window, 50 of 10,000", 200) { book.list(ListQuery(offset = (it * 40).toUInt(), limit = 50u)) }
    // Every edit is another one, or it would come to nothing.
    var edits = 0
    measure("edit", 200) {
        book.edit(ids[it % 100], listOf(Edit.Set(Field.TITLE, Value.Text("T${edits++}-${System.nanoTime()}"))))
    }
    book.shutDown()
}
