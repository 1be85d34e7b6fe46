// What goes wrong in the field: leases that end, versions that are too old, certificates, files, disks;
// and what an app is told.

import Foundation
import RoadbookKit
import XCTest

private let dayMs = 86_400_000

final class LeaseTests: Case {
    /// As if the phone had been off for so many days: the replica is not open.
    private func passDays(_ days: Int) throws {
        try sql(
            path("phone") + "/replica.db",
            "UPDATE meta SET value = json_set(value, '$.boot', 'another', '$.wall',"
                + " json_extract(value, '$.wall') - \(days * dayMs)) WHERE key = 'lease'")
    }

    func testAnEndedLeaseLocksReadingAndTakesEditsUntilAContactOrACodeOfTheOffice() async throws {
        var book = try await device()
        let id = try book.create(edits: company("Locked")).contactId
        _ = try await book.syncOnce(deadline: patience)
        let device = try XCTUnwrap(try book.status().device).deviceId
        book.close()
        try passDays(8)
        book = try await open()
        let lease = try XCTUnwrap(try book.lease())
        XCTAssertEqual(lease.state, .renew)
        let renew = try await until(book.alertsStream()) { _ in true }
        XCTAssertEqual(renew, [.leaseRenew(until: lease.until)])
        XCTAssertEqual(try book.list(query: ListQuery()).total, 1)
        book.close()

        try passDays(8)
        let dark = try await open()
        XCTAssertEqual(try dark.lease()?.state, .ended)
        XCTAssertEqual(try dark.lease()?.left, 0)
        let calls: [() async throws -> Void] = [
            { _ = try dark.list(query: ListQuery()) },
            { _ = try dark.contact(contactId: id) },
            { _ = try dark.search(text: "Locked") },
            { _ = try dark.history(contactId: id) },
            { _ = try dark.row(contactId: id) },
            { _ = try dark.quarantine() },
            { _ = try await until(dark.listStream(ListQuery())) { _ in true } },
        ]
        for call in calls {
            await refused(call) {
                if case .LeaseEnded(let reason) = $0 { reason.contains("code") } else { false }
            }
        }
        let ended = try await until(dark.alertsStream()) { _ in true }
        guard case .leaseEnded = ended.first, ended.count == 1 else { return XCTFail("\(ended)") }
        // Edits are taken as ever, and a contact with the server brings everything back.
        let late = try XCTUnwrap(try dark.edit(contactId: id, edits: company("In the dark")))
        XCTAssertEqual(try dark.receipt(editId: late.editId), .saved)
        _ = try await dark.syncOnce(deadline: patience)
        _ = try await until(dark.alertsStream()) { $0.isEmpty }
        XCTAssertEqual(try dark.contact(contactId: id).company, "In the dark")
        dark.close()

        // Without a network, a code of the office does.
        try passDays(20)
        let away = try await open()
        XCTAssertEqual(try away.lease()?.state, .ended)
        let code = try server.admin("device", "extend", device, "--days", "3")
        await refused({ _ = try away.extendLease(code: code.dropLast(4) + "0000") }) {
            if case .NotAllowed = $0 { true } else { false }
        }
        XCTAssertEqual(try away.extendLease(code: code)?.state, .valid)
        XCTAssertEqual(try away.list(query: ListQuery()).total, 1)
        await refused({ _ = try away.extendLease(code: code) }) {
            if case .NotAllowed(let reason) = $0 { reason.contains("used") } else { false }
        }
    }
}

final class VersionTests: Case {
    func testAnAppThatIsTooOldUploadsGetsNothingAndIsTold() async throws {
        let other = try await device("other")
        _ = try other.create(edits: company("News"))
        _ = try await other.syncOnce(deadline: patience)
        try sql(path("server") + "/roadbook.db", "UPDATE workspace SET minimum_app = 'suite/1.10'")
        let book = try await device("phone", OpenSettings(home: path("phone"), app: "suite/1.9"))
        let saved = try book.create(edits: company("Goes up"))
        let report = try await book.syncOnce(deadline: patience)
        XCTAssertEqual(report.heldBack, .minimumVersion)
        XCTAssertEqual(report.heldBackReason?.contains("suite/1.10"), true)
        let receipt = try XCTUnwrap(try book.receipt(editId: saved.editId))
        XCTAssertTrue([.stored, .merged].contains(receipt), "\(receipt)")
        XCTAssertEqual(try book.list(query: ListQuery()).total, 1)
        XCTAssertEqual(try book.status().sync.refusal, .minimumVersion)
        XCTAssertEqual(try book.status().sync.trouble?.contains("suite/1.10"), true)
        let told = try await until(book.alertsStream()) { !$0.isEmpty }
        guard case .minimumVersion(let reason) = told.first, told.count == 1 else { return XCTFail("\(told)") }
        XCTAssertTrue(reason.contains("update"), reason)
        book.close()
        let newer = try await open("phone", OpenSettings(home: path("phone"), app: "suite/1.10"))
        _ = try await newer.syncOnce(deadline: patience)
        XCTAssertEqual(try newer.list(query: ListQuery()).total, 2)
    }

    func testAFileOfANewerVersionIsLeftAlone() async throws {
        try await open().close()
        try sql(path("phone") + "/replica.db", "PRAGMA user_version = 99")
        for _ in 0..<2 {
            await refused({ _ = try await self.open() }) {
                if case .NewerFile(let reason) = $0 { reason.contains("99") } else { false }
            }
        }
    }
}

final class TrustTests: Case {
    func testACertificateThatIsNotThePinnedOneIsNotTrusted() async throws {
        try serve(plain: false)
        let book = try await open()
        let (url, code) = (server.url, try server.admin("invite", "rep"))
        let right = try XCTUnwrap(server.fingerprint)
        for fingerprint in [nil, "AAAA" + right.dropFirst(4)] {
            await refused({
                _ = try await book.enrol(url: url, code: code, deviceName: "phone", fingerprint: fingerprint)
            }) { if case .Untrusted = $0 { true } else { false } }
        }
        _ = try await book.enrol(url: url, code: code, deviceName: "phone", fingerprint: right)
        _ = try book.create(edits: company("Over TLS"))
        _ = try await book.syncOnce(deadline: patience)
        XCTAssertEqual(try book.status().sync.unsent, 0)
    }

    func testAKeyOfThePhonesHardwareSpeaksForTheDeviceAndNoOtherOneDoes() async throws {
        let enclave = try Enclave(file: path("enclave.pem"))
        let home = path("phone")
        let book = try await device("phone", OpenSettings(home: home, signer: enclave))
        _ = try book.create(edits: company("Signed"))
        _ = try await book.syncOnce(deadline: patience)
        XCTAssertGreaterThan(enclave.signed, 0)
        enclave.locked = true
        await refused({ _ = try await book.syncOnce(deadline: patience) }) {
            if case .Keys(let reason) = $0 { reason.contains("unlock the phone") } else { false }
        }
        enclave.locked = false
        _ = try await book.syncOnce(deadline: patience)
        book.close()
        let another = try Enclave(file: path("another.pem"))
        let other = try await open("phone", OpenSettings(home: home, signer: another))
        await refused({ _ = try await other.syncOnce(deadline: patience) }) {
            if case .Keys = $0 { true } else { false }
        }
    }

    func testAnExchangeThatRunsHearsThatTheDeviceIsRevokedAndTheAppIsTold() async throws {
        let book = try await device()
        _ = try book.create(edits: company("Secret"))
        _ = try await book.syncOnce(deadline: patience)
        let (alerts, pages) = (book.alertsStream(), book.listStream(ListQuery()))
        try book.startSync()
        _ = try server.admin("device", "revoke", try XCTUnwrap(try book.status().device).deviceId)
        let told = try await until(alerts) { $0.contains { if case .wiped = $0 { true } else { false } } }
        guard case .wiped(let wipe) = told.first(where: { if case .wiped = $0 { true } else { false } })
        else { return XCTFail("\(told)") }
        XCTAssertEqual(wipe.edits, 0)
        let calls: [() async throws -> Void] = [
            { _ = try await until(pages) { _ in false } },
            { _ = try book.create(edits: company("x")) },
            { _ = try book.list(query: ListQuery()) },
        ]
        for call in calls { await refused(call) { if case .Wiped = $0 { true } else { false } } }
        // A new code begins anew, in the same directory.
        let code = try server.admin("invite", "rep")
        _ = try await book.enrol(url: server.url, code: code, deviceName: "phone")
        _ = try await book.syncOnce(deadline: patience)
        XCTAssertEqual(try book.list(query: ListQuery()).total, 1)
    }
}

final class DamageTests: Case {
    func testADamagedDatabaseIsSetAsideAndNothingIsLost() async throws {
        let before = try await device()
        _ = try before.create(edits: company("Sent"))
        _ = try await before.syncOnce(deadline: patience)
        _ = try before.create(edits: company("Only here"))
        before.close()
        let file = try XCTUnwrap(FileHandle(forWritingAtPath: path("phone") + "/replica.db"))
        try file.write(contentsOf: Data(count: 16))
        try file.close()
        let book = try await open()
        let aside = try XCTUnwrap(try book.status().setAsideFile)
        XCTAssertTrue(FileManager.default.fileExists(atPath: path("phone") + "/" + aside))
        _ = try await book.syncOnce(deadline: patience)
        let companies = try book.list(query: ListQuery()).rows.map(\.company)
        XCTAssertEqual(Set(companies), ["Sent", "Only here"])
    }

    func testADamagedContactIsToldAndFetchedAgain() async throws {
        let other = try await device("other")
        let id = try other.create(edits: company("Whole")).contactId
        _ = try await other.syncOnce(deadline: patience)
        let before = try await device()
        _ = try await before.syncOnce(deadline: patience)
        before.close()
        try sql(path("phone") + "/replica.db", "UPDATE snapshot SET bytes = zeroblob(length(bytes))")
        let book = try await open()
        await refused({ _ = try book.contact(contactId: id) }) {
            if case .Damaged = $0 { true } else { false }
        }
        _ = try await book.syncOnce(deadline: patience)
        XCTAssertEqual(try book.contact(contactId: id).company, "Whole")
    }

    func testADiskThatFailsIsToldAndSavesNothingInPart() async throws {
        let book = try await device()
        let id = try book.create(edits: company("Before")).contactId
        try "".write(toFile: path("no directory"), atomically: true, encoding: .utf8)
        await refused({ _ = try await self.open("no directory") }) {
            if case .Storage = $0 { true } else { false }
        }
        // No file of this process may grow any more, as on a full disk.
        signal(SIGXFSZ, SIG_IGN)
        var before = rlimit()
        XCTAssertEqual(getrlimit(fileSize, &before), 0)
        var full = rlimit(rlim_cur: 1, rlim_max: before.rlim_max)
        XCTAssertEqual(setrlimit(fileSize, &full), 0)
        let error = await thrown { _ = try book.edit(contactId: id, edits: company("Not saved")) }
        let kept = try book.contact(contactId: id).company
        XCTAssertEqual(setrlimit(fileSize, &before), 0)
        guard case .Storage(let reason) = error else { return XCTFail("\(String(describing: error))") }
        XCTAssertFalse(reason.isEmpty)
        XCTAssertEqual(kept, "Before")
        XCTAssertEqual(try book.outbox().count, 1)
        _ = try book.edit(contactId: id, edits: company("Saved"))
        XCTAssertEqual(try book.contact(contactId: id).company, "Saved")
        _ = try await book.syncOnce(deadline: patience)
    }
}

private let fileSize = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)

/// A phone's secure hardware: a P-256 key that signs and is never given away. On Linux there is none, so
/// the `openssl` program plays it.
private final class Enclave: Signer, @unchecked Sendable {
    private let file: String
    private let lock = NSLock()
    private var isLocked = false
    private var signatures = 0

    init(file: String) throws {
        self.file = file
        _ = try played("openssl", ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", file])
    }

    var signed: Int { lock.withLock { signatures } }
    var locked: Bool {
        get { lock.withLock { isLocked } }
        set { lock.withLock { isLocked = newValue } }
    }

    func algorithm() -> SigningAlgorithm { .ecdsaP256 }

    func publicKey() throws -> Data {
        // What is at the end of the DER is the point, uncompressed.
        try played("openssl", ["ec", "-in", file, "-pubout", "-outform", "DER"]).suffix(65)
    }

    func sign(message: Data) throws -> Data {
        if locked { throw RoadbookError.Keys(reason: "unlock the phone first") }
        lock.withLock { signatures += 1 }
        return try played("openssl", ["dgst", "-sha256", "-sign", file], reads: message)
    }
}
