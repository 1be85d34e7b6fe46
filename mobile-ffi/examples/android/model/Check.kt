/** Plays the model of the sample on the JVM. It ends with 0 only if everything held. */

import app.roadbook.*
import app.roadbook.sample.ContactsModel
import app.roadbook.sample.Screen
import java.time.Duration
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout

/** Generous: machines are shared. */
const val PATIENCE_MS = 60_000L

suspend fun ContactsModel.shows(wanted: (Screen) -> Boolean): Screen =
    withTimeout(PATIENCE_MS) { screen.first(wanted) }

fun main(args: Array<String>) = runBlocking<Unit> {
    val (url, code, home) = args
    val book = Roadbook.open(OpenSettings(home, app = "sample/1.0"))
    val life = Job()
    val model = ContactsModel(book, CoroutineScope(Dispatchers.Default + life))
    check(!model.enrolled)
    model.enrol(url, "WRONG", "phone")
    check(model.screen.value.trouble != null)
    model.enrol(url, code, "phone")
    check(model.enrolled && model.screen.value.trouble == null)

    model.save(null, listOf(Edit.Set(Field.COMPANY, Value.Text("Nordsø Fisk"))))
    val screen = model.shows { it.total == 1uL && it.unsent == 1uL }
    val id = screen.rows.single().id
    check(model.contact(id).first()?.company == "Nordsø Fisk")
    model.save(id, listOf(Edit.Set(Field.BIRTHDAY, Value.Text("yesterday"))))
    check("birthday" in model.screen.value.trouble.orEmpty())
    check(model.refresh(Duration.ofMillis(PATIENCE_MS)))
    model.shows { it.unsent == 0uL }
    check(model.receipts().map { it.receipt } == listOf(Receipt.MERGED))
    check(model.conflicts().isEmpty())

    model.enterBackground()
    model.save(id, listOf(Edit.Set(Field.COMPANY, Value.Text("Suspended"))))
    check(model.screen.value.trouble != null)
    model.enterForeground()
    model.shows { it.online }
    life.cancelAndJoin()
    book.shutDown()
    println("held")
}
