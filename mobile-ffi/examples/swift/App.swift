// A little contact app: enrol, list, edit offline, show receipts, show a conflict, sync.
//
// `run` starts a server for it. It ends with 0 only if everything held.

import Foundation
import RoadbookKit

let minute: TimeInterval = 60

func show(_ title: String, _ lines: [String]) {
    print("\n\(title)")
    for line in lines { print("  \(line)") }
}

func expect(_ held: Bool, _ what: String) {
    if !held {
        FileHandle.standardError.write(Data("this did not hold: \(what)\n".utf8))
        exit(1)
    }
}

/// The text of a value, for people.
func text(_ value: Value?) -> String {
    if case .text(let text) = value { return text }
    return "nothing"
}

/// Opens the replica of one device, and enrols it.
func device(_ home: String, _ url: String, _ code: String) async throws -> Roadbook {
    let book = try await Roadbook.open(settings: OpenSettings(home: home, app: "example/1.0"))
    let who = try await book.enrol(url: url, code: code, deviceName: "example device")
    print("\(who.user.name) of \(who.workspaceName) is enrolled")
    return book
}

@main
struct App {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.count == 4 else {
            print("usage: App URL PHONE_CODE TABLET_CODE HOMES")
            exit(2)
        }
        let (url, phoneCode, tabletCode, homes) = (arguments[1], arguments[2], arguments[3], arguments[4])
        let phone = try await device("\(homes)/phone", url, phoneCode)
        let tablet = try await device("\(homes)/tablet", url, tabletCode)

        // Offline: nothing here needs a network.
        let due = DateComponents(year: 2026, month: 12, day: 1)
        let saved = try phone.create(edits: [
            .set(field: .givenName, value: .text(text: "Åse")),
            .set(field: .familyName, value: .text(text: "Østergård")),
            .set(field: .company, value: .text(text: "Nordsø Fisk")),
            .set(field: .status, value: .status(status: .prospect)),
            .addTask(task: NewTask(text: "Send the offer", due: due)),
        ])
        let visit = NewInteraction(kind: .visit, summary: "Looked at the shelves")
        _ = try phone.edit(contactId: saved.contactId, edits: [.addInteraction(interaction: visit)])
        let page = try phone.list(query: ListQuery(filter: "status:prospect"))
        show("Prospects", page.rows.map { "\($0.displayName), \($0.company ?? ""), \($0.openTasks) open task" })
        expect(page.total == 1, "the new contact is in the list")
        let outbox = try phone.outbox()
        show("Edits that are on their way", outbox.map { "\($0.command): \($0.receipt)" })
        expect(outbox.allSatisfy { $0.receipt == .saved }, "both edits are safe on this device")

        // Online.
        let receipts = phone.receiptsStream()
        let report = try await phone.syncOnce(deadline: minute)
        print("\nsent \(report.sent) changes, \(report.unsent) are left")
        var merged = Set<String>()
        for try await edits in receipts {
            for edit in edits {
                print("  \(edit.command): \(edit.receipt)")
                if edit.receipt == .merged { merged.insert(edit.editId) }
            }
            if merged.count == outbox.count { break }
        }
        _ = try await tablet.syncOnce(deadline: minute)
        let company = try tablet.contact(contactId: saved.contactId).company
        expect(company == "Nordsø Fisk", "the tablet has it too")

        // The same field on both devices, neither knowing of the other.
        let owner = Value.text(text: "Owner")
        let head = Value.text(text: "Head of purchasing")
        _ = try phone.edit(contactId: saved.contactId, edits: [.set(field: .jobTitle, value: owner)])
        _ = try tablet.edit(contactId: saved.contactId, edits: [.set(field: .jobTitle, value: head)])
        for book in [phone, tablet, phone] { _ = try await book.syncOnce(deadline: minute) }
        let conflicts = try phone.conflicts(contactId: saved.contactId)
        for conflict in conflicts {
            guard case .root(let field) = conflict.field else { continue }
            show(
                "A conflict in \(field)",
                conflict.sides.map { "\(text($0.value)), by \($0.author.name) at \($0.at)" }
            )
        }
        expect(conflicts.count == 1, "there is one conflict")
        _ = try phone.resolve(contactId: saved.contactId, field: conflicts[0].field, value: owner)
        _ = try await phone.syncOnce(deadline: minute)
        _ = try await tablet.syncOnce(deadline: minute)
        expect(try tablet.contact(contactId: saved.contactId).jobTitle == "Owner", "the decision holds on both devices")
        expect(try tablet.conflicts().isEmpty, "no conflict is left")
        print("\nall of it held")
        phone.close()
        tablet.close()
    }
}
