// Every call, as an app makes it.

import Foundation
import RoadbookKit
import XCTest

private let moment = Date(timeIntervalSince1970: 1_772_616_615.123)
private let day = DateComponents(year: 2026, month: 5, day: 1)

/// Edits that touch everything there is in the document model.
private func whole() -> [Edit] {
    [
        text(.givenName, "Åse"),
        text(.familyName, "Østergård"),
        text(.company, "Nordsø Fisk"),
        .set(field: .kind, value: .kind(kind: .person)),
        .set(field: .status, value: .status(status: .customer)),
        .set(field: .temperature, value: .temperature(temperature: .warm)),
        .set(field: .birthday, value: .date(date: DateComponents(year: 1975, month: 2, day: 28))),
        .set(field: .nextVisit, value: .date(date: day)),
        .set(field: .latitude, value: .decimal(number: 56.15)),
        .set(field: .cadenceDays, value: .integer(number: 42)),
        .set(field: .doNotContact, value: .flag(flag: false)),
        .setCustom(name: "shoe size", value: .integer(number: 38)),
        .setExternalId(system: "erp", id: "4711"),
        .addTag(tag: "north"),
        .addTag(tag: "fish"),
        .removeTag(tag: "north"),
        .setNote(text: "likes tea", shown: nil),
        .addPhone(phone: NewPhone(number: "+45 8612 3456", label: "work")),
        .addEmail(email: NewEmail(address: "aase@nordsoe.example")),
        .addMessenger(messenger: NewMessenger(service: "signal", handle: "@aase")),
        .addAddress(address: NewAddress(street: "Store Torv 1", city: "Århus", country: "DK")),
        .addInteraction(
            interaction: NewInteraction(kind: .visit, at: moment, summary: "Looked at shelves", nps: 9)),
        .addDeal(
            deal: NewDeal(
                title: "Shelves", amount: Money(minor: 1_240_000, currency: "DKK"), expectedClose: day)),
        .addPurchase(
            purchase: NewPurchase(date: day, amount: Money(minor: 9_950, currency: "EUR"), product: "Hooks")),
        .addTask(task: NewTask(text: "Send the offer", due: day)),
        .addConsent(consent: NewConsent(channel: "email", purpose: "offers", state: .given)),
    ]
}

final class CallsTests: Case {
    func testAWholeContactIsWrittenReadChangedAndComesBackAsItWas() async throws {
        let book = try await device()
        let saved = try book.create(edits: whole())
        let id = saved.contactId
        XCTAssertEqual(saved.added.count, 9)
        let contact = try book.contact(contactId: id)
        XCTAssertEqual(contact.displayName, "Åse Østergård")
        XCTAssertEqual(contact.kind, .person)
        XCTAssertEqual(contact.status, .customer)
        XCTAssertEqual(contact.temperature, .warm)
        XCTAssertEqual(contact.birthday, DateComponents(year: 1975, month: 2, day: 28))
        XCTAssertEqual(contact.nextVisit, day)
        XCTAssertEqual(contact.latitude, 56.15)
        XCTAssertEqual(contact.cadenceDays, 42)
        XCTAssertNil(contact.website)
        XCTAssertFalse(contact.doNotContact)
        XCTAssertEqual(contact.custom, ["shoe size": .integer(number: 38)])
        XCTAssertEqual(contact.externalIds, ["erp": "4711"])
        XCTAssertEqual(contact.tags, ["fish"])
        XCTAssertEqual(contact.note, "likes tea")
        XCTAssertEqual(contact.phones[0].number, "+45 8612 3456")
        XCTAssertEqual(contact.emails[0].address, "aase@nordsoe.example")
        XCTAssertEqual(contact.messengers[0].service, "signal")
        XCTAssertEqual(contact.addresses[0].city, "Århus")
        let visit = contact.interactions[0]
        XCTAssertEqual(visit.kind, .visit)
        XCTAssertEqual(visit.nps, 9)
        let at = try XCTUnwrap(visit.at)
        XCTAssertEqual(at.timeIntervalSince1970, moment.timeIntervalSince1970, accuracy: 0.001)
        let deal = contact.deals[0]
        XCTAssertEqual(deal.amount, Money(minor: 1_240_000, currency: "DKK"))
        XCTAssertEqual(deal.stage, .lead)
        XCTAssertEqual(deal.expectedClose, day)
        XCTAssertEqual(contact.purchases[0].amount?.minor, 9_950)
        XCTAssertEqual(contact.tasks[0].due, day)
        XCTAssertFalse(contact.tasks[0].done)
        XCTAssertEqual(contact.consents[0].state, .given)
        XCTAssertEqual(contact.unread, [:])

        let row = try book.row(contactId: id)
        XCTAssertEqual(row.city, "Århus")
        XCTAssertEqual(row.openTasks, 1)
        XCTAssertEqual(row.nextDue, day)
        XCTAssertEqual(row.openDeals, [Money(minor: 1_240_000, currency: "DKK")])
        XCTAssertEqual(row.lastContact, visit.at)

        let edited = try book.edit(
            contactId: id,
            edits: [
                .change(id: deal.id, field: .dealStage, value: .stage(stage: .offer)),
                .change(
                    id: deal.id, field: .dealAmount, value: .amount(money: Money(minor: 5, currency: "EUR"))),
                .change(id: contact.phones[0].id, field: .phoneLabel, value: nil),
                .completeTask(id: contact.tasks[0].id),
                .remove(collection: .emails, id: contact.emails[0].id),
                .set(field: .status, value: nil),
                .appendNote(line: "and dogs"),
                .setCustom(name: "shoe size", value: nil),
                .setExternalId(system: "erp", id: nil),
            ])
        let after = try book.contact(contactId: id)
        XCTAssertEqual(after.deals[0].stage, .offer)
        XCTAssertEqual(after.deals[0].amount, Money(minor: 5, currency: "EUR"))
        XCTAssertNil(after.phones[0].label)
        XCTAssertTrue(after.tasks[0].done)
        XCTAssertEqual(after.emails, [])
        XCTAssertNil(after.status)
        XCTAssertEqual(after.note, "likes tea\nand dogs")
        XCTAssertEqual(after.custom, [:])
        XCTAssertEqual(after.externalIds, [:])
        _ = try book.edit(
            contactId: id, edits: [.restore(collection: .emails, id: contact.emails[0].id)])
        XCTAssertEqual(try book.contact(contactId: id).emails, contact.emails)
        XCTAssertNil(try book.edit(contactId: id, edits: company("Nordsø Fisk")), "it was so already")

        // One group is one edit, which is taken back as one.
        XCTAssertEqual(try book.outbox().prefix(2).map(\.command), ["create", "group"])
        XCTAssertEqual(try book.receipt(editId: try XCTUnwrap(edited).editId), .saved)
        _ = try book.undo(contactId: id)
        _ = try book.undo()
        let again = try book.contact(contactId: id)
        XCTAssertEqual(again.deals, contact.deals)
        XCTAssertEqual(again.note, contact.note)
        XCTAssertEqual(again.emails, contact.emails)

        let changes = try book.history(contactId: id)
        XCTAssertEqual(changes.map(\.command), ["undo", "undo", "restore", "group", "create"])
        let stage = changes[3].fields.first { $0.field == .entryField(id: deal.id, field: .dealStage) }
        XCTAssertEqual(stage?.before, .stage(stage: .lead))
        XCTAssertEqual(stage?.after, .stage(stage: .offer))
        XCTAssertTrue(try book.authors(contactId: id).contains { $0.field == .root(field: .company) })
        let before = try book.contactAsOf(contactId: id, at: changes[4].at)
        XCTAssertEqual(before.deals[0].stage, .lead)
        XCTAssertEqual(try book.conflicts(), [])
    }

    func testListsAreFilteredSortedPagedAndSearched() async throws {
        let book = try await device()
        for n in 0..<30 {
            let standing: Standing = n % 3 == 0 ? .customer : .lead
            _ = try book.create(
                edits: company("Company \(n / 10)\(n % 10)")
                    + [.set(field: .status, value: .status(status: standing))])
        }
        let page = try book.list(query: ListQuery(offset: 10, limit: 5))
        XCTAssertEqual(page.total, 30)
        XCTAssertEqual(page.offset, 10)
        XCTAssertEqual(page.rows.map(\.company), (10..<15).map { "Company \($0)" })
        XCTAssertEqual(try book.list(query: ListQuery(filter: "status:customer")).total, 10)
        XCTAssertEqual(try book.ids(filter: "status:customer").count, 10)
        XCTAssertEqual(try book.list(query: ListQuery(sort: .touched, limit: 1)).rows[0].company, "Company 29")
        let found = try book.search(text: "comp 07")
        XCTAssertEqual(found.map(\.company), ["Company 07"])
        XCTAssertEqual(try book.search(text: ""), [])
        let one = found[0].id
        XCTAssertEqual(try book.resolveId(prefix: String(one.prefix(30))), one)
        _ = try book.archive(contactId: one, archived: true)
        XCTAssertEqual(try book.list(query: ListQuery()).total, 29)
        XCTAssertEqual(try book.list(query: ListQuery(filter: "archived:yes")).total, 1)
        _ = try book.archive(contactId: one, archived: false)
        XCTAssertEqual(try book.list(query: ListQuery()).total, 30)
        XCTAssertEqual(fieldInfos().first { $0.field == .birthday }?.kind, .date)
        XCTAssertEqual(book.home(), path("phone"))
    }

    func testEditsOnTwoDevicesMeetAndAConflictIsDecided() async throws {
        let phone = try await device("phone")
        let tablet = try await device("tablet")
        XCTAssertEqual(try phone.status().device?.user.login, "rep")
        let id = try phone.create(edits: company("Before")).contactId
        let report = try await phone.syncOnce(deadline: patience)
        XCTAssertGreaterThanOrEqual(report.sent, 1)
        _ = try await tablet.syncOnce(deadline: patience)
        _ = try phone.edit(contactId: id, edits: company("By phone"))
        _ = try tablet.edit(contactId: id, edits: company("By tablet"))
        for book in [phone, tablet, phone] { _ = try await book.syncOnce(deadline: patience) }
        let conflicts = try phone.conflicts(contactId: id)
        XCTAssertEqual(conflicts.count, 1)
        let conflict = try XCTUnwrap(conflicts.first)
        XCTAssertEqual(conflict.field, .root(field: .company))
        XCTAssertEqual(
            Set(conflict.sides.map(\.value)), [.text(text: "By phone"), .text(text: "By tablet")])
        XCTAssertEqual(conflict.sides.map(\.author.login), ["rep", "rep"])
        XCTAssertEqual(conflict.sides.filter(\.shown).count, 1)
        XCTAssertEqual(try phone.list(query: ListQuery(filter: "conflicts:any")).total, 1)
        _ = try phone.resolve(contactId: id, field: conflict.field, value: .text(text: "By tablet"))
        _ = try await phone.syncOnce(deadline: patience)
        _ = try await tablet.syncOnce(deadline: patience)
        XCTAssertEqual(try tablet.contact(contactId: id).company, "By tablet")
        XCTAssertEqual(try tablet.conflicts(), [])
        XCTAssertTrue(try phone.users().map(\.name).contains("Rita Rep"))
        XCTAssertEqual(try phone.quarantine(), [])
        XCTAssertEqual(try phone.exportQuarantine(file: path("quarantine.jsonl")), 0)
        XCTAssertTrue(FileManager.default.fileExists(atPath: path("quarantine.jsonl")))
    }

    func testAnExchangeThatRunsCarriesEditsAsTheyCome() async throws {
        let phone = try await device("phone")
        let tablet = try await device("tablet")
        try phone.startSync()
        try phone.startSync()
        try tablet.startSync()
        let pages = tablet.listStream(ListQuery())
        let saved = try phone.create(edits: company("As it comes"))
        _ = try await until(pages) { $0.total == 1 }
        XCTAssertEqual(try tablet.contact(contactId: saved.contactId).company, "As it comes")
        // One exchange now, in the place of the one that runs, which goes on after it.
        _ = try phone.create(edits: company("Now"))
        _ = try await phone.syncOnce(deadline: patience)
        XCTAssertEqual(try phone.status().sync.unsent, 0)
        XCTAssertTrue(try phone.status().sync.started)
        try phone.wakeSync()
        try await phone.stopSync()
        try await phone.stopSync()
        try await tablet.stopSync()
        XCTAssertEqual(try phone.status().sync.phase, .offline)
    }

    func testALeaverHandsOverAndTheNewOwnerDecidesAboutALateEdit() async throws {
        _ = try server.admin("user", "add", "other", "--role", "rep")
        let phone = try await device()
        let id = try phone.create(edits: company("Handed over")).contactId
        _ = try await phone.syncOnce(deadline: patience)
        let late = try XCTUnwrap(try phone.edit(contactId: id, edits: company("Too late")))
        _ = try server.admin("assign", "--to", "other", "--ids", id)
        _ = try await phone.syncOnce(deadline: patience)
        XCTAssertEqual(try phone.list(query: ListQuery()).total, 0)
        func entry() throws -> OutboxEntry {
            try XCTUnwrap(try phone.outbox().first { $0.editId == late.editId })
        }
        XCTAssertEqual(try entry().receipt, .proposed)
        XCTAssertNil(try entry().decision)
        XCTAssertNotNil(try entry().reason)
        // The new owner sees it on the own device, and decides with no network.
        let tablet = try await open("tablet")
        let code = try server.admin("invite", "other")
        _ = try await tablet.enrol(url: server.url, code: code, deviceName: "tablet")
        _ = try await tablet.syncOnce(deadline: patience)
        XCTAssertEqual(try tablet.status().proposals, 1)
        let proposal = try XCTUnwrap(try tablet.proposals().first)
        XCTAssertEqual(proposal.contactId, id)
        let item = try XCTUnwrap(proposal.items.first)
        let field = try XCTUnwrap(item.fields.first)
        XCTAssertEqual(field.base, .text(text: "Handed over"))
        XCTAssertEqual(field.now, .text(text: "Handed over"))
        XCTAssertEqual(field.proposed, .text(text: "Too late"))
        let decided = try tablet.decideProposal(number: proposal.number, verdict: .decline)
        XCTAssertEqual(decided.items.map(\.decision), [.decline])
        await refused({
            _ = try tablet.decideProposal(number: proposal.number, verdict: .decline, items: [item.item])
        }) { if case .NotAllowed = $0 { true } else { false } }
        _ = try await tablet.syncOnce(deadline: patience)
        let after = try tablet.proposals(all: true).flatMap(\.items)
        XCTAssertEqual(after.map(\.state), [.declined])
        XCTAssertEqual(after.map(\.decision), [nil])
        _ = try await phone.syncOnce(deadline: patience)
        XCTAssertEqual(try entry().decision, .declined)
    }
}
