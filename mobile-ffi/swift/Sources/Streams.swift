// Observers as asynchronous sequences: the present state at once, then every change. A slow reader is
// not waited for: it gets the newest state, and of receipts and attachments all that changed meanwhile. The
// observer ends with the loop, with the task, or when the stream is thrown away. An error, such as
// `LeaseEnded`, ends the stream.

import Foundation

extension Roadbook {
    /// One window of a list.
    public func listStream(_ query: ListQuery) -> AsyncThrowingStream<ContactPage, Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            do {
                let handle = try observeList(query: query, observer: Pages(continuation))
                continuation.onTermination = { _ in handle.cancel() }
            } catch {
                continuation.finish(throwing: error)
            }
        }
    }

    /// One contact; nil where it is not on this device (any more).
    public func contactStream(_ contactId: String) -> AsyncThrowingStream<Contact?, Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            do {
                let handle = try observeContact(contactId: contactId, observer: One(continuation))
                continuation.onTermination = { _ in handle.cancel() }
            } catch {
                continuation.finish(throwing: error)
            }
        }
    }

    /// The exchange with the server.
    public func syncStream() -> AsyncThrowingStream<SyncState, Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            do {
                let handle = try observeSync(observer: Exchange(continuation))
                continuation.onTermination = { _ in handle.cancel() }
            } catch {
                continuation.finish(throwing: error)
            }
        }
    }

    /// Where the edits of this device are: first all that are on their way, then those that changed.
    public func receiptsStream() -> AsyncThrowingStream<[OutboxEntry], Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            do {
                let handle = try observeReceipts(observer: Receipts(continuation))
                continuation.onTermination = { _ in handle.cancel() }
            } catch {
                continuation.finish(throwing: error)
            }
        }
    }

    /// Which files are referred to: first all that there are, as `added`, then what came and went.
    public func attachmentsStream() -> AsyncThrowingStream<AttachmentChanges, Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            do {
                let handle = try observeAttachments(observer: Attachments(continuation))
                continuation.onTermination = { _ in handle.cancel() }
            } catch {
                continuation.finish(throwing: error)
            }
        }
    }

    /// What the user has to be told.
    public func alertsStream() -> AsyncThrowingStream<[Alert], Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            do {
                let handle = try observeAlerts(observer: Alerts(continuation))
                continuation.onTermination = { _ in handle.cancel() }
            } catch {
                continuation.finish(throwing: error)
            }
        }
    }
}

private final class Pages: ListObserver {
    private let continuation: AsyncThrowingStream<ContactPage, Error>.Continuation
    init(_ continuation: AsyncThrowingStream<ContactPage, Error>.Continuation) {
        self.continuation = continuation
    }
    func onPage(page: ContactPage) { continuation.yield(page) }
    func onError(error: RoadbookError) { continuation.finish(throwing: error) }
}

private final class One: ContactObserver {
    private let continuation: AsyncThrowingStream<Contact?, Error>.Continuation
    init(_ continuation: AsyncThrowingStream<Contact?, Error>.Continuation) {
        self.continuation = continuation
    }
    func onContact(contact: Contact?) { continuation.yield(contact) }
    func onError(error: RoadbookError) { continuation.finish(throwing: error) }
}

private final class Exchange: SyncObserver {
    private let continuation: AsyncThrowingStream<SyncState, Error>.Continuation
    init(_ continuation: AsyncThrowingStream<SyncState, Error>.Continuation) {
        self.continuation = continuation
    }
    func onSync(state: SyncState) { continuation.yield(state) }
}

private final class Alerts: AlertObserver {
    private let continuation: AsyncThrowingStream<[Alert], Error>.Continuation
    init(_ continuation: AsyncThrowingStream<[Alert], Error>.Continuation) {
        self.continuation = continuation
    }
    func onAlerts(alerts: [Alert]) { continuation.yield(alerts) }
}

private final class Receipts: ReceiptObserver {
    private let continuation: AsyncThrowingStream<[OutboxEntry], Error>.Continuation
    init(_ continuation: AsyncThrowingStream<[OutboxEntry], Error>.Continuation) {
        self.continuation = continuation
    }
    func onReceipts(edits: [OutboxEntry]) {
        // What was not read yet comes again, together with what is new: each edit once, as it is now.
        // Only this thread puts anything in; a reader that was quicker sees an edit twice.
        guard case .dropped(let unread) = continuation.yield(edits) else { return }
        let newer = Set(edits.map(\.editId))
        continuation.yield(unread.filter { !newer.contains($0.editId) } + edits)
    }
}

private final class Attachments: AttachmentObserver {
    private let continuation: AsyncThrowingStream<AttachmentChanges, Error>.Continuation
    init(_ continuation: AsyncThrowingStream<AttachmentChanges, Error>.Continuation) {
        self.continuation = continuation
    }
    func onAttachments(changes: AttachmentChanges) {
        // As above. What came and went between two changes is not told.
        guard case .dropped(let unread) = continuation.yield(changes) else { return }
        continuation.yield(
            AttachmentChanges(
                added: unread.added.filter { !changes.removed.contains($0) }
                    + changes.added.filter { !unread.removed.contains($0) },
                removed: unread.removed.filter { !changes.added.contains($0) }
                    + changes.removed.filter { !unread.added.contains($0) }))
    }
    func onError(error: RoadbookError) { continuation.finish(throwing: error) }
}
