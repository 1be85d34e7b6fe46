/**
 * A little contact app: enrol, list, edit offline, show receipts, show a conflict, sync.
 *
 * `run` starts a server for it. It ends with 0 only if everything held.
 */

import app.roadbook.*
import java.time.Duration
import java.time.LocalDate
import kotlin.system.exitProcess
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking

val minute: Duration = Duration.ofMinutes(1)

fun show(title: String, lines: List<String>) {
    println("\n$title")
    lines.forEach { println("  $it") }
}

fun expect(held: Boolean, what: String) {
    if (!held) {
        System.err.println("this did not hold: $what")
        exitProcess(1)
    }
}

/** Opens the replica of one device, and enrols it. */
suspend fun device(home: String, url: String, code: String): Roadbook {
    val book = Roadbook.open(OpenSettings(home, app = "example/1.0"))
    val who = book.enrol(url, code, "example device")
    println("${who.user.name} of ${who.workspaceName} is enrolled")
    return book
}

fun main(args: Array<String>) = runBlocking<Unit> {
    val (url, phoneCode, tabletCode, homes) = args
    val phone = device("$homes/phone", url, phoneCode)
    val tablet = device("$homes/tablet", url, tabletCode)

    // Offline: nothing here needs a network.
    val saved = phone.create(
        listOf(
            Edit.Set(Field.GIVEN_NAME, Value.Text("Åse")),
            Edit.Set(Field.FAMILY_NAME, Value.Text("Østergård")),
            Edit.Set(Field.COMPANY, Value.Text("Nordsø Fisk")),
            Edit.Set(Field.STATUS, Value.Status(Standing.PROSPECT)),
            Edit.AddTask(NewTask("Send the offer", due = LocalDate.of(2026, 12, 1))),
        ),
    )
    phone.edit(
        saved.contactId,
        listOf(Edit.AddInteraction(NewInteraction(InteractionKind.VISIT, summary = "Looked at the shelves"))),
    )
    val page = phone.list(ListQuery(filter = "status:prospect"))
    show("Prospects", page.rows.map { "${it.displayName}, ${it.company}, ${it.openTasks} open task" })
    expect(page.total == 1uL, "the new contact is in the list")
    val outbox = phone.outbox()
    show("Edits that are on their way", outbox.map { "${it.command}: ${it.receipt}" })
    expect(outbox.all { it.receipt == Receipt.SAVED }, "both edits are safe on this device")

    // Online.
    val report = phone.syncOnce(minute)
    println("\nsent ${report.sent} changes, ${report.unsent} are left")
    show("Where they are now", phone.outbox(all = true).map { "${it.command}: ${it.receipt}" })
    expect(phone.receipt(saved.editId) == Receipt.MERGED, "the new contact is in the managers' view")
    tablet.syncOnce(minute)
    val arrived = tablet.contactFlow(saved.contactId).first()
    expect(arrived?.company == "Nordsø Fisk", "the tablet has it too")

    // The same field on both devices, neither knowing of the other.
    phone.edit(saved.contactId, listOf(Edit.Set(Field.JOB_TITLE, Value.Text("Owner"))))
    tablet.edit(saved.contactId, listOf(Edit.Set(Field.JOB_TITLE, Value.Text("Head of purchasing"))))
    for (book in listOf(phone, tablet, phone)) book.syncOnce(minute)
    val conflicts = phone.conflicts(saved.contactId)
    for (conflict in conflicts) {
        show(
            "A conflict in ${(conflict.field as FieldPath.Root).field}",
            conflict.sides.map { "${(it.value as Value.Text).text}, by ${it.author.name} at ${it.at}" },
        )
    }
    expect(conflicts.size == 1, "there is one conflict")
    phone.resolve(saved.contactId, conflicts[0].field, Value.Text("Owner"))
    phone.syncOnce(minute)
    tablet.syncOnce(minute)
    expect(tablet.contact(saved.contactId).jobTitle == "Owner", "the decision holds on both devices")
    expect(tablet.conflicts().isEmpty(), "no conflict is left")
    println("\nall of it held")
    phone.shutDown()
    tablet.shutDown()
}
