/** The hook for files: an app is told which ones interactions refer to, and moves them itself. */

import app.roadbook.*

private fun names(attachments: List<Attachment>) = attachments.map { it.reference }.sorted()

val attachments = subject("attachments") {
    test("the app is told what is referred to, and what came and went") {
        serve()
        val phone = device("phone")
        val visit = NewInteraction(InteractionKind.VISIT, attachments = "shelf.jpg\n\n  door.jpg \nshelf.jpg")
        val saved = phone.create(company("With photos") + Edit.AddInteraction(visit))
        val interaction = saved.added[0]
        phone.attachmentsFlow().watched { here ->
            val first = here.until { true }
            equal(first.added.toSet(), listOf("door.jpg", "shelf.jpg").map {
                Attachment(saved.contactId, interaction, it)
            }.toSet())
            equal(first.removed, listOf())
            val changed = Value.Text("shelf.jpg\noffer.pdf")
            phone.edit(
                saved.contactId,
                listOf(Edit.Change(interaction, EntryField.INTERACTION_ATTACHMENTS, changed)),
            )
            val changes = here.until { true }
            equal(Pair(names(changes.added), names(changes.removed)), Pair(listOf("offer.pdf"), listOf("door.jpg")))
        }
        phone.syncOnce(WAIT)
        val tablet = device("tablet")
        tablet.syncOnce(WAIT)
        tablet.attachmentsFlow().watched { there ->
            equal(names(there.until { true }.added), listOf("offer.pdf", "shelf.jpg"))
            // A wiped device keeps no file either.
            server.admin("device", "revoke", tablet.status().device!!.deviceId)
            fails<RoadbookException> { tablet.syncOnce(WAIT) }
            equal(names(there.until { true }.removed), listOf("offer.pdf", "shelf.jpg"))
            fails<RoadbookException.Wiped> { there.until { true } }
        }
    }
}
