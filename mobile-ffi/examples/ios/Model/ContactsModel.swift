// What the screens of the sample show and do, without SwiftUI: it is compiled and run on Linux too.

import Foundation
import RoadbookKit

/// The list with its search, one contact, and how the exchange with the server stands. Everything is on
/// the main actor; what waits for the disk or the network does so elsewhere.
@MainActor
public final class ContactsModel {
    /// The window of the list that is on the screen.
    public private(set) var rows: [ContactRow] = []
    /// How many contacts the filter selects.
    public private(set) var total: UInt64 = 0
    /// Edits that the server does not have yet.
    public private(set) var unsent: UInt64 = 0
    /// Whether there is a connection.
    public private(set) var online = false
    /// What the user has to be told.
    public private(set) var alerts: [Alert] = []
    /// The last error, in words for people.
    public private(set) var trouble: String?
    /// Called after every change, on the main actor: SwiftUI's `objectWillChange.send()`.
    public var changed: () -> Void = {}

    private let book: Roadbook
    private var watching: [String: Task<Void, Never>] = [:]

    /// Shows a replica. `watch` begins.
    public init(_ book: Roadbook) {
        self.book = book
    }

    deinit {
        for task in watching.values { task.cancel() }
    }

    /// Opens the replica of the app, and shows it. `home` is a directory that no backup takes.
    public static func open(
        home: URL, keyStore: KeyStore? = nil, signer: Signer? = nil
    ) async throws -> ContactsModel {
        let settings = OpenSettings(home: home.path, app: "sample/1.0", keyStore: keyStore, signer: signer)
        return ContactsModel(try await Roadbook.open(settings: settings))
    }

    /// Whether somebody has enrolled this device.
    public var enrolled: Bool { (try? book.status().enrolled) ?? false }

    /// Enrols with the code that the office gave out.
    public func enrol(url: String, code: String, name: String) async {
        await attempt { _ = try await self.book.enrol(url: url, code: code, deviceName: name) }
        watch(filter: nil)
    }

    /// Watches the list, the exchange and the alerts; a filter that is watched already is replaced.
    public func watch(filter: String?) {
        let book = self.book
        follow("list", book.listStream(ListQuery(filter: filter, limit: 200))) { model, page in
            (model.rows, model.total) = (page.rows, page.total)
        }
        follow("sync", book.syncStream()) { model, state in
            model.unsent = state.unsent
            model.online = state.phase == .idle || state.phase == .syncing
        }
        follow("alerts", book.alertsStream()) { model, alerts in model.alerts = alerts }
    }

    /// One contact, whole.
    public func contact(_ id: String) async -> Contact? {
        await attempt { try self.book.contact(contactId: id) }
    }

    /// Saves what the user typed, as one change; it needs no network.
    public func save(_ id: String?, _ edits: [Edit]) async {
        await attempt {
            if let id {
                _ = try self.book.edit(contactId: id, edits: edits)
            } else {
                _ = try self.book.create(edits: edits)
            }
        }
    }

    /// What waits for a decision.
    public func conflicts() async -> [Conflict] {
        await attempt { try self.book.conflicts() } ?? []
    }

    /// Decides a conflict with one of its sides.
    public func decide(_ conflict: Conflict, _ side: ConflictSide) async {
        await attempt {
            _ = try self.book.resolve(contactId: conflict.contactId, field: conflict.field, value: side.value)
        }
    }

    /// Where the edits of this device are.
    public func receipts() async -> [OutboxEntry] {
        await attempt { try self.book.outbox(all: true) } ?? []
    }

    /// When the app comes to the foreground.
    public func enterForeground() async {
        await attempt {
            try self.book.resume()
            try self.book.startSync()
        }
    }

    /// When the app goes to the background: no lock is held afterwards. Call it within a background task.
    public func enterBackground() async {
        await attempt { try self.book.suspend() }
    }

    /// For `BGTaskScheduler`: exchanges what it can in the given time; whether that was everything.
    public func refresh(within deadline: TimeInterval) async -> Bool {
        await attempt { try await self.book.syncOnce(deadline: deadline) } != nil
    }

    /// Ends everything.
    public func close() async {
        for task in watching.values { task.cancel() }
        watching = [:]
        let book = self.book
        await Task.detached { book.close() }.value
    }

    private func follow<Item: Sendable>(
        _ name: String, _ stream: AsyncThrowingStream<Item, Error>,
        _ take: @escaping @MainActor (ContactsModel, Item) -> Void
    ) {
        watching[name]?.cancel()
        watching[name] = Task { [weak self] in
            do {
                for try await item in stream {
                    guard let self else { return }
                    take(self, item)
                    self.changed()
                }
            } catch {
                self?.tell(error)
            }
        }
    }

    /// Does it off the main thread; an error is told, not thrown.
    @discardableResult
    private func attempt<Result: Sendable>(
        _ work: @escaping @Sendable () async throws -> Result
    ) async -> Result? {
        do {
            let result = try await Task.detached { try await work() }.value
            trouble = nil
            changed()
            return result
        } catch {
            tell(error)
            return nil
        }
    }

    private func tell(_ error: Error) {
        trouble = words(error)
        changed()
    }
}

/// An error for people.
public func words(_ error: Error) -> String {
    switch error {
    case RoadbookError.Offline: return "No connection. What you changed is safe, and is sent later."
    case RoadbookError.Panic: return "A defect. Please send us the report."
    case let error as RoadbookError: return error.explanation
    default: return error.localizedDescription
    }
}
