// The model of the iOS sample does what its screens need.

import ContactsModel
import Foundation
import RoadbookKit
import XCTest

final class ModelTests: Case {
    @MainActor
    func testTheModelEnrolsListsSavesAndSends() async throws {
        let home = URL(fileURLWithPath: path("phone"))
        let model = try await ContactsModel.open(home: home)
        XCTAssertFalse(model.enrolled)
        await model.enrol(url: server.url, code: "WRONG", name: "phone")
        XCTAssertNotNil(model.trouble)
        await model.enrol(url: server.url, code: try server.admin("invite", "rep"), name: "phone")
        XCTAssertNil(model.trouble)
        XCTAssertTrue(model.enrolled)

        await model.save(nil, company("Nordsø Fisk"))
        try await shows(model) { $0.total == 1 && $0.unsent == 1 }
        XCTAssertEqual(model.rows[0].company, "Nordsø Fisk")
        await model.save(model.rows[0].id, [text(.birthday, "yesterday")])
        XCTAssertEqual(model.trouble?.contains("birthday"), true)
        let all = await model.refresh(within: patience)
        XCTAssertTrue(all)
        try await shows(model) { $0.unsent == 0 }
        let receipts = await model.receipts()
        XCTAssertEqual(receipts.map(\.receipt), [.merged])

        await model.enterBackground()
        let locked = await model.contact(model.rows[0].id)
        XCTAssertNil(locked)
        await model.enterForeground()
        try await shows(model) { $0.online }
        let contact = await model.contact(model.rows[0].id)
        XCTAssertEqual(contact?.company, "Nordsø Fisk")
        let conflicts = await model.conflicts()
        XCTAssertEqual(conflicts, [])
        await model.close()
    }

    /// Waits until the model shows something.
    @MainActor
    private func shows(_ model: ContactsModel, _ wanted: @MainActor (ContactsModel) -> Bool) async throws {
        let (changes, told) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        model.changed = { told.yield() }
        let late = Task {
            try await Task.sleep(nanoseconds: UInt64(patience * 1e9))
            told.finish()
        }
        defer { late.cancel() }
        if wanted(model) { return }
        for await _ in changes where wanted(model) { return }
        throw Trouble("the model did not show it within \(patience) s")
    }
}
