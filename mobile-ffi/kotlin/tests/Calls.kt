/** Every call, as an app makes it. */

import app.roadbook.*
import app.roadbook.Collection
import java.io.File
import java.time.Instant
import java.time.LocalDate

val MOMENT: Instant = Instant.parse("2026-03-04T09:30:15.123Z")
val DAY: LocalDate = LocalDate.of(2026, 5, 1)
val BIRTHDAY: LocalDate = LocalDate.of(1975, 2, 28)

/** Edits that touch everything there is in the document model. */
private fun whole() = listOf(
    text(Field.GIVEN_NAME, "Åse"),
    text(Field.FAMILY_NAME, "Østergård"),
    text(Field.COMPANY, "Nordsø Fisk"),
    Edit.Set(Field.KIND, Value.Kind(ContactKind.PERSON)),
    Edit.Set(Field.STATUS, Value.Status(Standing.CUSTOMER)),
    Edit.Set(Field.TEMPERATURE, Value.Temperature(Temperature.WARM)),
    Edit.Set(Field.BIRTHDAY, Value.Date(BIRTHDAY)),
    Edit.Set(Field.NEXT_VISIT, Value.Date(DAY)),
    Edit.Set(Field.LATITUDE, Value.Decimal(56.15)),
    Edit.Set(Field.CADENCE_DAYS, Value.Integer(42)),
    Edit.Set(Field.DO_NOT_CONTACT, Value.Flag(false)),
    Edit.SetCustom("shoe size", Value.Integer(38)),
    Edit.SetExternalId("erp", "4711"),
    Edit.AddTag("north"),
    Edit.AddTag("fish"),
    Edit.RemoveTag("north"),
    Edit.SetNote("likes tea", null),
    Edit.AddPhone(NewPhone("+45 8612 3456", label = "work")),
    Edit.AddEmail(NewEmail("aase@nordsoe.example")),
    Edit.AddMessenger(NewMessenger(handle = "@aase", service = "signal")),
    Edit.AddAddress(NewAddress(street = "Store Torv 1", city = "Århus", country = "DK")),
    Edit.AddInteraction(NewInteraction(InteractionKind.VISIT, at = MOMENT, summary = "Looked at shelves", nps = 9)),
    Edit.AddDeal(NewDeal("Shelves", amount = Money(1_240_000, "DKK"), expectedClose = DAY)),
    Edit.AddPurchase(NewPurchase(date = DAY, amount = Money(9_950, "EUR"), product = "Hooks")),
    Edit.AddTask(NewTask("Send the offer", due = DAY)),
    Edit.AddConsent(NewConsent("email", state = ConsentState.GIVEN, purpose = "offers")),
)

private fun isWhole(contact: Contact) {
    equal(contact.displayName, "Åse Østergård")
    equal(contact.kind, ContactKind.PERSON)
    equal(contact.status, Standing.CUSTOMER)
    equal(contact.temperature, Temperature.WARM)
    equal(contact.birthday, BIRTHDAY)
    equal(contact.nextVisit, DAY)
    equal(contact.latitude, 56.15)
    equal(contact.cadenceDays, 42)
    equal(contact.website, null)
    equal(contact.doNotContact, false)
    equal(contact.custom, mapOf("shoe size" to Value.Integer(38)))
    equal(contact.externalIds, mapOf("erp" to "4711"))
    equal(contact.tags, listOf("fish"))
    equal(contact.note, "likes tea")
    equal(contact.phones.single().number, "+45 8612 3456")
    equal(contact.emails.single().address, "aase@nordsoe.example")
    equal(contact.messengers.single().service, "signal")
    equal(contact.addresses.single().city, "Århus")
    val visit = contact.interactions.single()
    equal(Triple(visit.kind, visit.at, visit.nps), Triple(InteractionKind.VISIT, MOMENT, 9L))
    val deal = contact.deals.single()
    equal(Triple(deal.amount, deal.stage, deal.expectedClose), Triple(Money(1_240_000, "DKK"), Stage.LEAD, DAY))
    equal(contact.purchases.single().amount, Money(9_950, "EUR"))
    val task = contact.tasks.single()
    equal(Pair(task.due, task.done), Pair(DAY, false))
    equal(contact.consents.single().state, ConsentState.GIVEN)
    equal(contact.unread, emptyMap())
}

val calls = subject("calls") {
    test("a whole contact is written, read, changed, and comes back as it was") {
        serve()
        val book = device()
        val saved = book.create(whole())
        val id = saved.contactId
        equal(saved.added.size, 9)
        val contact = book.contact(id)
        isWhole(contact)
        val deal = contact.deals[0]

        val row = book.row(id)
        equal(Triple(row.city, row.openTasks, row.nextDue), Triple("Århus", 1u, DAY))
        equal(row.openDeals, listOf(Money(1_240_000, "DKK")))
        equal(row.lastContact, MOMENT)

        val edited = book.edit(
            id,
            listOf(
                Edit.Change(deal.id, EntryField.DEAL_STAGE, Value.Stage(Stage.OFFER)),
                Edit.Change(deal.id, EntryField.DEAL_AMOUNT, Value.Amount(Money(5, "EUR"))),
                Edit.Change(contact.phones[0].id, EntryField.PHONE_LABEL, null),
                Edit.CompleteTask(contact.tasks[0].id),
                Edit.Remove(Collection.EMAILS, contact.emails[0].id),
                Edit.Set(Field.STATUS, null),
                Edit.AppendNote("and dogs"),
                Edit.SetCustom("shoe size", null),
                Edit.SetExternalId("erp", null),
            ),
        )!!
        val after = book.contact(id)
        equal(Pair(after.deals[0].stage, after.deals[0].amount), Pair(Stage.OFFER, Money(5, "EUR")))
        equal(after.phones[0].label, null)
        equal(after.tasks[0].done, true)
        equal(after.emails, listOf())
        equal(after.status, null)
        equal(after.note, "likes tea\nand dogs")
        equal(Pair(after.custom.size, after.externalIds.size), Pair(0, 0))
        book.edit(id, listOf(Edit.Restore(Collection.EMAILS, contact.emails[0].id)))
        equal(book.contact(id).emails, contact.emails)
        equal(book.edit(id, company("Nordsø Fisk")), null, "an edit that changes nothing")

        // One group is one edit, which is taken back as one.
        equal(book.outbox().map { it.command }.take(2), listOf("create", "group"))
        equal(book.receipt(edited.editId), Receipt.SAVED)
        book.undo(id)
        book.undo()
        val again = book.contact(id)
        equal(Triple(again.deals, again.note, again.emails), Triple(contact.deals, contact.note, contact.emails))

        val changes = book.history(id)
        equal(changes.map { it.command }, listOf("undo", "undo", "restore", "group", "create"))
        val stage = changes[3].fields.single { it.field == FieldPath.EntryField(deal.id, EntryField.DEAL_STAGE) }
        equal(Pair(stage.before, stage.after), Pair(Value.Stage(Stage.LEAD), Value.Stage(Stage.OFFER)))
        holds(book.authors(id).any { it.field == FieldPath.Root(Field.COMPANY) })
        equal(book.contactAsOf(id, changes[4].at).deals[0].stage, Stage.LEAD)
        equal(book.conflicts(), listOf())
    }

    test("lists are filtered, sorted, paged and searched") {
        serve()
        val book = device()
        for (n in 0 until 30) {
            val standing = if (n % 3 == 0) Standing.CUSTOMER else Standing.LEAD
            book.create(company("Company %02d".format(n)) + Edit.Set(Field.STATUS, Value.Status(standing)))
        }
        val page = book.list(ListQuery(offset = 10u, limit = 5u))
        equal(Pair(page.total, page.offset), Pair(30uL, 10u))
        equal(page.rows.map { it.company }, (10 until 15).map { "Company $it" })
        equal(book.list(ListQuery(filter = "status:customer")).total, 10uL)
        equal(book.ids("status:customer").size, 10)
        equal(book.list(ListQuery(sort = Sort.TOUCHED, limit = 1u)).rows[0].company, "Company 29")
        for (sort in Sort.entries) equal(book.list(ListQuery(sort = sort)).total, 30uL, sort.name)
        val found = book.search("comp 07")
        equal(found.map { it.company }, listOf("Company 07"))
        equal(book.search(""), listOf())
        val one = found[0].id
        equal(book.resolveId(one.take(30)), one)
        book.archive(one, true)
        equal(book.list(ListQuery()).total, 29uL)
        equal(book.list(ListQuery(filter = "archived:yes")).total, 1uL)
        book.archive(one, false)
        equal(book.list(ListQuery()).total, 30uL)
        equal(fieldInfos().size, Field.entries.size)
        equal(fieldInfos().single { it.field == Field.BIRTHDAY }.kind, ValueKind.DATE)
    }

    test("edits on two devices meet, and a conflict is decided") {
        serve()
        val phone = device("phone")
        val tablet = device("tablet")
        equal(phone.status().device!!.user.login, "rep")
        equal(phone.home(), home("phone"))
        val id = phone.create(company("Before")).contactId
        holds(phone.syncOnce(WAIT).sent >= 1uL)
        tablet.syncOnce(WAIT)
        phone.edit(id, company("By phone"))
        tablet.edit(id, company("By tablet"))
        for (book in listOf(phone, tablet, phone)) book.syncOnce(WAIT)
        val conflict = phone.conflicts(id).single()
        equal(conflict.field, FieldPath.Root(Field.COMPANY))
        val values = conflict.sides.map { (it.value as Value.Text).text }.toSet()
        equal(values, setOf("By phone", "By tablet"))
        equal(conflict.sides.map { it.author.login }, listOf("rep", "rep"))
        equal(conflict.sides.count { it.shown }, 1)
        equal(phone.list(ListQuery(filter = "conflicts:any")).total, 1uL)
        phone.resolve(id, conflict.field, Value.Text("By tablet"))
        phone.syncOnce(WAIT)
        tablet.syncOnce(WAIT)
        equal(tablet.contact(id).company, "By tablet")
        equal(tablet.conflicts(), listOf())
        holds("Rita Rep" in phone.users().map { it.name })
        equal(phone.quarantine(), listOf())
        val file = File(dir, "quarantine.jsonl")
        equal(phone.exportQuarantine(file.path), 0uL)
        holds(file.exists())
    }

    test("an exchange that runs carries edits as they come") {
        serve()
        val phone = device("phone")
        val tablet = device("tablet")
        phone.startSync()
        phone.startSync()
        tablet.startSync()
        val saved = phone.create(company("As it comes"))
        tablet.listFlow(ListQuery()).until { it.total == 1uL }
        equal(tablet.contact(saved.contactId).company, "As it comes")
        // One exchange now, in the place of the one that runs, which goes on after it.
        phone.create(company("Now"))
        phone.syncOnce(WAIT)
        equal(phone.status().sync.unsent, 0uL)
        equal(phone.status().sync.started, true)
        phone.wakeSync()
        phone.stopSync()
        phone.stopSync()
        tablet.stopSync()
        equal(phone.status().sync.phase, Phase.OFFLINE)
    }

    test("a leaver hands over, and the new owner decides about a late edit") {
        serve()
        server.admin("user", "add", "other", "--role", "rep")
        val phone = device()
        val saved = phone.create(company("Handed over"))
        phone.syncOnce(WAIT)
        val late = phone.edit(saved.contactId, company("Too late"))!!
        server.admin("assign", "--to", "other", "--ids", saved.contactId)
        phone.syncOnce(WAIT)
        equal(phone.list(ListQuery()).total, 0uL)
        val entry = phone.outbox().single { it.editId == late.editId }
        equal(Pair(entry.receipt, entry.decision), Pair(Receipt.PROPOSED, null))
        holds(!entry.reason.isNullOrEmpty())
        // The new owner sees it on the own device, and decides with no network.
        val tablet = open("tablet")
        tablet.enrol(server.url, server.admin("invite", "other"), "tablet")
        tablet.syncOnce(WAIT)
        equal(tablet.status().proposals, 1uL)
        // So are the fields that the office defines ...
        equal(tablet.customFields().size, 0)
        server.office("custom-field", "set", "Tier", "--kind", "choice", "--choice", "gold")
        server.office("custom-field", "set", "Shoe size", "--kind", "number")
        tablet.syncOnce(WAIT)
        val (tier, size) = tablet.customFields()
        equal(tier, CustomField("Tier", ValueKind.CHOICE, listOf("gold")))
        equal(Pair(size.name, size.kind), Pair("Shoe size", ValueKind.DECIMAL))
        tablet.edit(saved.contactId, listOf(Edit.SetCustom("Shoe size", Value.Decimal(42.5))))
        equal(tablet.ids("custom.\"Shoe size\":>42"), listOf(saved.contactId))
        // ... and the lists that it hands over.
        equal(tablet.lists().size, 0)
        server.office("list", "hand", "Trade fair", "--filter", "*", "--to", "other")
        tablet.syncOnce(WAIT)
        val handed = tablet.lists().single()
        equal(Pair(handed.name, handed.contacts), Pair("Trade fair", 1uL))
        equal(tablet.ids(handed.filter), listOf(saved.contactId))
        val proposal = tablet.proposals().single()
        equal(proposal.contactId, saved.contactId)
        val item = proposal.items.single()
        val field = item.fields.single()
        equal(Pair(field.base, field.now), Pair<Value?, Value?>(Value.Text("Handed over"), Value.Text("Handed over")))
        equal(field.proposed, Value.Text("Too late"))
        val decided = tablet.decideProposal(proposal.number, Verdict.DECLINE)
        equal(decided.items.single().decision, Verdict.DECLINE)
        fails<RoadbookException.NotAllowed> {
            tablet.decideProposal(proposal.number, Verdict.DECLINE, listOf(item.item))
        }
        tablet.syncOnce(WAIT)
        val after = tablet.proposals(all = true).single().items.single()
        equal(Pair(after.state, after.decision), Pair(ProposalState.DECLINED, null))
        holds(Regex("\"proposals\":\\s*\\[]").containsMatchIn(server.office("proposal", "list", "--json")))
        phone.syncOnce(WAIT)
        equal(phone.outbox().single { it.editId == late.editId }.decision, Decision.DECLINED)
    }
}
