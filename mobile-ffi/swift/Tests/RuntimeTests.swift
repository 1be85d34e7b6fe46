// What an app does to a library over a day: observers, giving calls up, going to the background, and ten
// thousand contacts.

import Foundation
import RoadbookKit
import XCTest

/// What callbacks on other threads leave for the test.
private final class Box<Value>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value
    init(_ value: Value) { self.value = value }
    func change(_ work: (inout Value) -> Void) { lock.withLock { work(&value) } }
    var now: Value { lock.withLock { value } }
}

/// A list observer made of a closure.
private final class Pages: ListObserver, @unchecked Sendable {
    private let told: @Sendable (ContactPage) -> Void
    init(_ told: @escaping @Sendable (ContactPage) -> Void) { self.told = told }
    func onPage(page: ContactPage) { told(page) }
    func onError(error: RoadbookError) {}
}

final class WatchingTests: Case {
    func testThePresentStateComesAtOnceAndChangesFollow() async throws {
        let phone = try await device()
        _ = try await until(phone.listStream(ListQuery())) { $0.total == 0 }
        _ = try await until(phone.syncStream()) { $0.unsent == 0 }
        let (pages, syncs) = (phone.listStream(ListQuery()), phone.syncStream())
        let id = try phone.create(edits: company("Watched")).contactId
        let page = try await until(pages) { $0.total == 1 }
        XCTAssertEqual(page.rows[0].company, "Watched")
        _ = try await until(syncs) { $0.unsent == 1 }
        let contacts = phone.contactStream(id)
        _ = try phone.edit(contactId: id, edits: company("Renamed"))
        _ = try await until(contacts) { $0?.company == "Renamed" }
        let receipts = phone.receiptsStream()
        let first = try await until(phone.receiptsStream()) { _ in true }
        XCTAssertEqual(first.map(\.receipt), [.saved, .saved])
        try phone.startSync()
        let merged = Box<Set<String>>([])
        _ = try await until(receipts) { edits in
            merged.change { $0.formUnion(edits.filter { $0.receipt == .merged }.map(\.editId)) }
            return merged.now.count == 2
        }
        _ = try await until(phone.syncStream()) { $0.unsent == 0 }
        let alerts = try await until(phone.alertsStream()) { _ in true }
        XCTAssertEqual(alerts, [])
        let unknown = phone.contactStream("01010101-0101-4101-8101-010101010101")
        let nobody = try await until(unknown) { _ in true }
        XCTAssertNil(nobody)
        await refused({ _ = try await until(phone.listStream(ListQuery(filter: "staus:x"))) { _ in true } }) {
            if case .Invalid = $0 { true } else { false }
        }
    }

    func testWhatWasNotReadOfReceiptsComesTogether() async throws {
        let phone = try await device()
        let receipts = phone.receiptsStream()
        let edits = try (0..<20).map { try phone.create(edits: company("Company \($0)")).editId }
        // The exchange changes them all, several times, while nobody reads.
        _ = try await phone.syncOnce(deadline: patience)
        let merged = Box<Set<String>>([])
        _ = try await until(receipts) { news in
            XCTAssertEqual(Set(news.map(\.editId)).count, news.count, "each edit once")
            merged.change { $0.formUnion(news.filter { $0.receipt == .merged }.map(\.editId)) }
            return merged.now == Set(edits)
        }
    }

    func testTheFilesThatInteractionsReferToAreToldAsTheyComeAndGo() async throws {
        let phone = try await device()
        let files = phone.attachmentsStream()
        let visit = NewInteraction(kind: .visit, attachments: "photo-1\nphoto-2")
        let saved = try phone.create(edits: company("Shelves") + [.addInteraction(interaction: visit)])
        let added = try await until(files) { !$0.added.isEmpty }
        XCTAssertEqual(Set(added.added.map(\.reference)), ["photo-1", "photo-2"])
        XCTAssertEqual(added.removed, [])
        let id = try phone.contact(contactId: saved.contactId).interactions[0].id
        let less = Edit.change(id: id, field: .interactionAttachments, value: .text(text: "photo-2"))
        _ = try phone.edit(contactId: saved.contactId, edits: [less])
        let now = phone.attachmentsStream()
        let kept = try await until(now) { _ in true }
        XCTAssertEqual(kept.added.map(\.reference), ["photo-2"])
    }

    func testASlowObserverHarmsNobodyAndIsNotCalledOnTheMainThread() async throws {
        let phone = try await device()
        let (free, onMain) = (DispatchSemaphore(value: 0), Box<[Bool]>([]))
        let slow = try phone.observeList(query: ListQuery(), observer: Pages { _ in
            onMain.change { $0.append(Thread.isMainThread) }
            _ = free.wait(timeout: .now() + patience)
        })
        let pages = phone.listStream(ListQuery())
        for n in 0..<50 { _ = try phone.create(edits: company("Company \(n)")) }
        _ = try await until(pages) { $0.total == 50 }
        for _ in 0..<100 { free.signal() }
        XCTAssertFalse(onMain.now.isEmpty)
        XCTAssertFalse(onMain.now.contains(true))
        slow.cancel()
        slow.cancel()
    }

    func testAnObserverIsCalledAtMostOnceInAFrame() async throws {
        let phone = try await device()
        let (times, last) = (Box<[UInt64]>([]), expectation(description: "the last page"))
        last.assertForOverFulfill = false
        let handle = try phone.observeList(query: ListQuery(), observer: Pages { page in
            times.change { $0.append(DispatchTime.now().uptimeNanoseconds) }
            if page.total == 100 { last.fulfill() }
        })
        for n in 0..<100 { _ = try phone.create(edits: company("Company \(n)")) }
        await fulfillment(of: [last], timeout: patience)
        handle.cancel()
        // From the start of one call to that of the next; a thread may start late, never early by much.
        let gaps = zip(times.now, times.now.dropFirst()).map { $1 - $0 }.sorted()
        XCTAssertGreaterThanOrEqual(gaps[gaps.count / 2], 15_000_000)
    }

    func testAnObserverEndsWithItsHandleItsTaskOrTheBook() async throws {
        let phone = try await device()
        // More than may run at once: those before have ended. Their threads end a little later.
        func soon(_ observe: @escaping @Sendable () async throws -> Void) async throws {
            try await within {
                while true {
                    do { return try await observe() } catch RoadbookError.NotAllowed {
                        try await Task.sleep(nanoseconds: 1_000_000)
                    }
                }
            }
        }
        for _ in 0..<100 {
            try await soon { _ = try phone.observeList(query: ListQuery(), observer: Pages { _ in }) }
        }
        for _ in 0..<100 { _ = phone.syncStream() }
        for _ in 0..<100 {
            try await soon { for try await _ in phone.alertsStream() { break } }
            let reader = Task { for try await _ in phone.listStream(ListQuery()) {} }
            reader.cancel()
            _ = await reader.result
        }
        try await soon { for try await _ in phone.listStream(ListQuery()) { break } }
        phone.close()
        await refused({ _ = try await until(phone.syncStream()) { _ in true } }) { $0 == .Closed }
    }
}

final class GivingUpTests: Case {
    func testACallWhoseTaskIsCancelledLeavesNoLockAndNoTask() async throws {
        let phone = try await device()
        let url = server.url
        _ = try phone.create(edits: company("Waits"))
        server.signal(SIGSTOP)
        defer { server.signal(SIGCONT) }
        for n in 0..<11 {
            let call = Task {
                if n < 10 {
                    _ = try await phone.syncOnce(deadline: patience)
                } else {
                    _ = try await phone.enrol(url: url, code: "ANY", deviceName: "phone")
                }
            }
            try await Task.sleep(nanoseconds: 20_000_000)
            call.cancel()
            let began = Date()
            do {
                try await call.value
                XCTFail("it was not cancelled")
            } catch {
                XCTAssertTrue(error is CancellationError, "\(error)")
            }
            XCTAssertLessThan(Date().timeIntervalSince(began), patience / 2)
        }
        server.signal(SIGCONT)
        _ = try await within { try await phone.syncOnce(deadline: patience) }
        XCTAssertEqual(try phone.status().sync.unsent, 0)
        phone.close()
        try await open().close()
    }

    func testATaskThatIsCancelledBeforeItCallsGetsNothing() async throws {
        let phone = try await device()
        let call = Task {
            try? await Task.sleep(nanoseconds: UInt64(patience * 1e9)) // until it is cancelled
            _ = try await phone.syncOnce(deadline: patience)
        }
        call.cancel()
        do {
            try await call.value
            XCTFail("it was not cancelled")
        } catch {
            XCTAssertTrue(error is CancellationError, "\(error)")
        }
        _ = try await phone.syncOnce(deadline: patience)
    }

    func testSuspendingAHundredTimesWhileItSyncsLosesNothing() async throws {
        let phone = try await device("phone")
        let tablet = try await device("tablet")
        try tablet.startSync()
        try phone.startSync()
        for n in 0..<100 {
            _ = try phone.create(edits: company("Company \(n)"))
            try phone.suspend()
            // Nothing is held while suspended: another handle could open it.
            if n % 25 == 0 {
                try await Roadbook.open(settings: OpenSettings(home: path("phone"))).close()
            }
            try phone.resume()
        }
        _ = try await phone.syncOnce(deadline: patience)
        _ = try await until(tablet.listStream(ListQuery())) { $0.total == 100 }
        XCTAssertEqual(try phone.quarantine(), [])
        XCTAssertTrue(try phone.status().sync.started)
    }

    func testClosingWhileItSyncsEndsEverything() async throws {
        for n in 0..<10 {
            let phone = try await n == 0 ? device() : open()
            _ = try phone.create(edits: company("Company \(n)"))
            try phone.startSync()
            let calls = (0..<3).map { _ in Task { try await phone.syncOnce(deadline: patience) } }
            try await Task.sleep(nanoseconds: UInt64(10_000_000 * n))
            phone.close()
            for call in calls {
                let outcome = try await within { await call.result }
                if case .failure(let error) = outcome {
                    let error = try XCTUnwrap(error as? RoadbookError)
                    XCTAssertTrue(error == .Closed || error == .Suspended, "\(error)")
                }
            }
        }
        let phone = try await open()
        _ = try await phone.syncOnce(deadline: patience)
        XCTAssertEqual(try phone.list(query: ListQuery()).total, 10)
    }
}

final class MuchTests: Case {
    func testTenThousandContactsComeAreListedAndAreSearched() async throws {
        var sheet = "given_name,family_name,company,city,phone\n"
        for n in 0..<10_000 {
            let digits = String(n)
            let padded = String(repeating: "0", count: 5 - digits.count) + digits
            sheet += "Given\(n),Family\(padded),Company \(n % 500),City \(n % 50),+49 30 0\(padded)\n"
        }
        try sheet.write(toFile: path("contacts.csv"), atomically: true, encoding: .utf8)
        _ = try server.admin("import", path("contacts.csv"), "--owner", "rep")
        let phone = try await device()
        let syncs = phone.syncStream()
        let call = Task { try await phone.syncOnce(deadline: 300) }
        let progress = try await until(syncs) { $0.firstSync != nil }
        XCTAssertEqual(progress.firstSync.map { $0.done < $0.total }, true)
        _ = try await call.value
        let page = try phone.list(query: ListQuery(offset: 5_000, limit: 50))
        XCTAssertEqual(page.total, 10_000)
        XCTAssertEqual(page.rows.count, 50)
        XCTAssertEqual(page.rows[0].displayName, "Given5000 Family05000")
        XCTAssertEqual(try phone.search(text: "Family09999")[0].displayName, "Given9999 Family09999")
        XCTAssertEqual(try phone.list(query: ListQuery(filter: "city:\"City 7\"")).total, 200)
        var took: [UInt64] = []
        for n: UInt32 in 0..<50 {
            let began = DispatchTime.now().uptimeNanoseconds
            _ = try phone.list(query: ListQuery(offset: n * 100, limit: 50))
            took.append(DispatchTime.now().uptimeNanoseconds - began)
        }
        print("a window of 50 of 10,000: \(Double(took.sorted()[25] / 1000) / 1000) ms (median)")
    }

    func testMemoryIsFlatOverAHundredThousandCalls() async throws {
        let phone = try await device()
        let id = try phone.create(edits: company("One")).contactId
        func resident() throws -> Int {
            let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
            return try XCTUnwrap(Int(fields[1])) * 4096
        }
        func calls(_ count: Int) throws {
            for _ in 0..<count {
                _ = try phone.status()
                _ = try phone.list(query: ListQuery())
                _ = try phone.contact(contactId: id)
                XCTAssertThrowsError(try phone.contact(contactId: "nonsense"))
                _ = try phone.row(contactId: id)
            }
        }
        try calls(4_000)
        let before = try resident()
        try calls(20_000)
        let grown = try resident() - before
        XCTAssertLessThan(grown, 4_000_000, "\(grown) bytes more after 100,000 calls")
    }
}

final class LoggingTests: Case {
    private final class Sink: LogSink, @unchecked Sendable {
        let lines = Box<[String]>([])
        func log(level: LogLevel, target: String, message: String) {
            lines.change { $0.append("\(level) \(target): \(message)") }
        }
    }

    func testTheLogComesWithLevelsAndWithoutDataOfContacts() async throws {
        let marker = "Qxzv7MarkerOfAContact"
        let sink = Sink()
        try setLogSink(level: .debug, sink: sink)
        defer { try? setLogSink(level: .error, sink: nil) }
        let phone = try await device()
        _ = try phone.create(edits: company(marker) + [text(.legalName, marker)])
        await refused({ _ = try phone.create(edits: [text(.birthday, marker)]) }) {
            if case .Invalid = $0 { true } else { false }
        }
        _ = try phone.search(text: marker)
        _ = try await phone.syncOnce(deadline: patience)
        // What is logged: a call that fails inside.
        setenv("ROADBOOK_FFI_PANIC", "list", 1)
        await refused({ _ = try phone.list(query: ListQuery(filter: marker)) }) {
            if case .Panic = $0 { true } else { false }
        }
        unsetenv("ROADBOOK_FFI_PANIC")
        try await within { while sink.lines.now.isEmpty { try await Task.sleep(nanoseconds: 1_000_000) } }
        XCTAssertFalse(sink.lines.now.contains { $0.contains(marker) })
    }
}
