// Every error that an app acts on, and the app's own key store.

import Foundation
import RoadbookKit
import XCTest

private let nobody = "01010101-0101-4101-8101-010101010101"

/// A platform's keychain, in memory.
private final class Keychain: KeyStore, @unchecked Sendable {
    private let lock = NSLock()
    private var kept: [String: Data] = [:]
    private var failure: Error?

    var secrets: [String: Data] { lock.withLock { kept } }
    var trouble: Error? {
        get { lock.withLock { failure } }
        set { lock.withLock { failure = newValue } }
    }

    func get(name: String) throws -> Data? {
        try lock.withLock {
            if let failure { throw failure }
            return kept[name]
        }
    }

    func put(name: String, secret: Data) throws {
        try lock.withLock {
            if let failure { throw failure }
            kept[name] = secret
        }
    }

    func delete(name: String) throws {
        try lock.withLock {
            if let failure { throw failure }
            kept[name] = nil
        }
    }
}

final class ErrorsTests: Case {
    func testSecretsAreKeptByTheAppAndWhatItsStoreThrowsIsAnError() async throws {
        let keychain = Keychain()
        let settings = OpenSettings(home: path("phone"), app: "suite/1.0", keyStore: keychain)
        let book = try await Roadbook.open(settings: settings)
        _ = try await book.enrol(
            url: server.url, code: try server.admin("invite", "rep"), deviceName: "phone")
        _ = try book.create(edits: company("Kept"))
        _ = try await book.syncOnce(deadline: patience)
        XCTAssertNotNil(keychain.secrets["device.key"])
        XCTAssertFalse(FileManager.default.fileExists(atPath: path("phone") + "/device.key"))
        for trouble: Error in [RoadbookError.Keys(reason: "the phone is locked"), Trouble("the phone is locked")] {
            keychain.trouble = trouble
            await refused({ _ = try await book.syncOnce(deadline: patience) }) {
                if case .Keys(let reason) = $0 { return reason.contains("the phone is locked") }
                return false
            }
        }
        keychain.trouble = nil
        _ = try await book.syncOnce(deadline: patience)
        try book.wipe(discardUnsent: false)
        XCTAssertEqual(keychain.secrets, [:])
    }

    func testNotEnrolled() async throws {
        let book = try await open()
        let status = try book.status()
        XCTAssertFalse(status.enrolled)
        XCTAssertNil(status.device)
        XCTAssertEqual(status.contacts, 0)
        let calls: [() async throws -> Void] = [
            { _ = try book.create(edits: company("x")) },
            { _ = try await book.syncOnce(deadline: patience) },
            { try book.startSync() },
        ]
        for call in calls {
            await refused(call) { if case .NotEnrolled(let reason) = $0 { reason.contains("code") } else { false } }
        }
    }

    func testARefusedCodeAnAddressAndNoConnection() async throws {
        let book = try await open()
        let url = server.url
        await refused({ _ = try await book.enrol(url: url, code: "WRONG-CODE", deviceName: "phone") }) {
            if case .Refused(.codeRefused, _, _) = $0 { true } else { false }
        }
        await refused({ _ = try await book.enrol(url: "ftp://nowhere", code: "X", deviceName: "phone") }) {
            if case .Address("ftp://nowhere", _) = $0 { true } else { false }
        }
        await refused({ _ = try await book.enrol(url: "http://127.0.0.1:9", code: "X", deviceName: "phone") }) {
            if case .Offline = $0 { true } else { false }
        }
        XCTAssertFalse(try book.status().enrolled)
    }

    func testAScannedInvitationEnrolsAndAnotherTextIsRefused() async throws {
        try serve(plain: false)
        let book = try await open()
        for text in ["https://crm.example.com", "roadbook://enrol?url=https%3A%2F%2Fx", "9783161484100"] {
            await refused({ _ = try await book.enrolScanned(text: text, deviceName: "phone") }) {
                if case .Invalid("text", _, let wayOut) = $0 { wayOut.contains("scan") } else { false }
            }
        }
        // The server's own link: with its address, a code and the fingerprint of its certificate.
        let invited = Data(try server.office(["invite", "rep", "--json"]).utf8)
        let answer = try XCTUnwrap(try JSONSerialization.jsonObject(with: invited) as? [String: Any])
        let link = try XCTUnwrap(answer["link"] as? String)
        let device = try await book.enrolScanned(text: link, deviceName: "phone")
        XCTAssertEqual(device.serverUrl, server.url)
        _ = try book.create(edits: company("Scanned"))
        _ = try await book.syncOnce(deadline: patience)
        XCTAssertEqual(try book.status().sync.unsent, 0)
    }

    func testInvalidNotFoundAndAmbiguous() async throws {
        let book = try await device()
        let birthday = text(.birthday, "yesterday")
        let error = await thrown { _ = try book.create(edits: [birthday]) }
        guard case .Invalid("birthday", let reason, let wayOut) = error else {
            return XCTFail("\(String(describing: error))")
        }
        XCTAssertFalse(reason.isEmpty || wayOut.isEmpty)
        XCTAssertEqual(error?.explanation, "birthday: \(reason); \(wayOut)")
        let noDate = DateComponents(year: 2026, month: 2, day: 30)
        let invalid: [() async throws -> Void] = [
            { _ = try book.create(edits: []) },
            { _ = try book.list(query: ListQuery(filter: "staus:customer")) },
            { _ = try book.contact(contactId: "nonsense") },
            { _ = try book.create(edits: [.set(field: .birthday, value: .date(date: noDate))]) },
        ]
        for call in invalid {
            await refused(call) { if case .Invalid = $0 { true } else { false } }
        }
        let unknown: [() async throws -> Void] = [
            { _ = try book.contact(contactId: nobody) },
            { _ = try book.edit(contactId: nobody, edits: company("x")) },
            { _ = try book.history(contactId: nobody) },
            { _ = try book.row(contactId: nobody) },
            { _ = try book.resolveId(prefix: "ffff") },
        ]
        for call in unknown {
            await refused(call) { if case .NotFound = $0 { true } else { false } }
        }
        XCTAssertNil(try book.receipt(editId: nobody))
        let first = try book.create(edits: company("One")).contactId
        let second = try book.create(edits: company("Two")).contactId
        let common = String(zip(first, second).prefix { $0 == $1 }.map(\.0))
        await refused({ _ = try book.resolveId(prefix: common) }) {
            if case .Ambiguous = $0 { true } else { false }
        }
        // Nothing of a group is done where one of it does not fit.
        await refused({ _ = try book.edit(contactId: first, edits: company("Half") + [birthday]) }) {
            if case .Invalid = $0 { true } else { false }
        }
        XCTAssertEqual(try book.contact(contactId: first).company, "One")
    }

    func testNothingToUndoIsNotAllowed() async throws {
        let book = try await device()
        for call in [{ _ = try book.undo() }, { _ = try book.extendLease(code: "NO-SUCH-CODE") }] {
            await refused(call) { if case .NotAllowed = $0 { true } else { false } }
        }
        XCTAssertNil(try book.lease(), "none before the first sync")
        _ = try await book.syncOnce(deadline: patience)
        XCTAssertEqual(try book.lease()?.state, .valid)
    }

    func testASecondHandleIsRefusedWithTheHolder() async throws {
        let book = try await open()
        let process = "\(ProcessInfo.processInfo.processIdentifier)"
        await refused({ _ = try await self.open() }) {
            if case .Locked(_, let holder) = $0 { holder.contains(process) } else { false }
        }
        book.close()
        try await open().close()
    }

    func testSuspendedClosedAndOpenAgain() async throws {
        let book = try await device()
        _ = try book.create(edits: company("Kept"))
        try book.suspend()
        try book.suspend()
        let calls: [() async throws -> Void] = [
            { _ = try book.list(query: ListQuery()) },
            { _ = try await book.syncOnce(deadline: patience) },
        ]
        for call in calls { await refused(call) { $0 == .Suspended } }
        try book.resume()
        try book.resume()
        XCTAssertEqual(try book.list(query: ListQuery()).total, 1)
        book.close()
        book.close()
        for call in calls { await refused(call) { $0 == .Closed } }
        let again = try await open()
        XCTAssertEqual(try again.list(query: ListQuery()).rows[0].company, "Kept")
    }

    func testAPanicInsideBecomesAnErrorWithAReportAndAllGoesOn() async throws {
        let book = try await device()
        let calls: [(String, () async throws -> Void)] = [
            ("create", { _ = try book.create(edits: company("x")) }),
            ("list", { _ = try book.list(query: ListQuery()) }),
            ("sync_once", { _ = try await book.syncOnce(deadline: patience) }),
        ]
        for (name, call) in calls {
            setenv("ROADBOOK_FFI_PANIC", name, 1)
            await refused(call) { if case .Panic(let report) = $0 { report.contains("`\(name)`") } else { false } }
            unsetenv("ROADBOOK_FFI_PANIC")
        }
        _ = try book.create(edits: company("Goes on"))
        _ = try await book.syncOnce(deadline: patience)
        XCTAssertEqual(try book.list(query: ListQuery()).total, 1)
    }

    func testARevokedDeviceIsWipedAndSaysSo() async throws {
        let book = try await device()
        _ = try book.create(edits: company("Secret"))
        _ = try await book.syncOnce(deadline: patience)
        let id = try XCTUnwrap(try book.status().device).deviceId
        _ = try server.admin("device", "revoke", id)
        await refused({ _ = try await book.syncOnce(deadline: patience) }) {
            switch $0 {
            case .Wiped, .Refused: true
            default: false
            }
        }
        let status = try book.status()
        XCTAssertFalse(status.enrolled)
        XCTAssertEqual(status.wiped?.handedOver, true)
        await refused({ _ = try book.list(query: ListQuery()) }) { if case .Wiped = $0 { true } else { false } }
    }

    func testWipingAsksBeforeEditsAreLost() async throws {
        let book = try await device()
        _ = try book.create(edits: company("Only here"))
        await refused({ try book.wipe(discardUnsent: false) }) {
            if case .NotAllowed = $0 { true } else { false }
        }
        _ = try await book.syncOnce(deadline: patience)
        try book.wipe(discardUnsent: false)
        await refused({ _ = try book.status() }) { $0 == .Closed }
        let again = try await device()
        _ = try await again.syncOnce(deadline: patience)
        XCTAssertEqual(try again.list(query: ListQuery()).total, 1)
    }

    func testAServerThatDoesNotAnswerIsOfflineWhenTheTimeIsOver() async throws {
        let book = try await device()
        _ = try book.create(edits: company("Waits"))
        server.signal(SIGSTOP)
        await refused({ _ = try await book.syncOnce(deadline: 0.2) }) {
            if case .Offline = $0 { true } else { false }
        }
        server.signal(SIGCONT)
        XCTAssertEqual(try book.status().sync.unsent, 1)
        _ = try await book.syncOnce(deadline: patience)
        XCTAssertEqual(try book.status().sync.unsent, 0)
    }
}
