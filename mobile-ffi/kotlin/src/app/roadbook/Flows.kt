/**
 * Observers as flows: the present state at once, then every change. A slow collector is not waited
 * for: it gets the newest state, and of receipts and attachments all that changed meanwhile. The observer ends with the
 * collection. An error, such as `LeaseEnded`, ends the flow.
 */
package app.roadbook

import kotlinx.coroutines.channels.BufferOverflow
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.channels.awaitClose
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.callbackFlow
import kotlinx.coroutines.flow.conflate

/** One window of a list. */
fun Roadbook.listFlow(query: ListQuery): Flow<ContactPage> = callbackFlow {
    val observer = object : ListObserver {
        override fun onPage(page: ContactPage) { trySend(page) }
        override fun onError(error: RoadbookException) { close(error) }
    }
    val handle = observeList(query, observer)
    awaitClose { handle.cancel(); handle.destroy() }
}.conflate()

/** One contact; null where it is not on this device (any more). */
fun Roadbook.contactFlow(contactId: String): Flow<Contact?> = callbackFlow {
    val observer = object : ContactObserver {
        override fun onContact(contact: Contact?) { trySend(contact) }
        override fun onError(error: RoadbookException) { close(error) }
    }
    val handle = observeContact(contactId, observer)
    awaitClose { handle.cancel(); handle.destroy() }
}.conflate()

/** The exchange with the server. */
fun Roadbook.syncFlow(): Flow<SyncState> = callbackFlow {
    val observer = object : SyncObserver {
        override fun onSync(state: SyncState) { trySend(state) }
    }
    val handle = observeSync(observer)
    awaitClose { handle.cancel(); handle.destroy() }
}.conflate()

/** Where the edits of this device are: first all that are on their way, then those that changed. */
fun Roadbook.receiptsFlow(): Flow<List<OutboxEntry>> = callbackFlow {
    val observer = object : ReceiptObserver {
        override fun onReceipts(edits: List<OutboxEntry>) { trySend(edits) }
    }
    val handle = observeReceipts(observer)
    awaitClose { handle.cancel(); handle.destroy() }
}.buffer(Channel.UNLIMITED, BufferOverflow.SUSPEND)

/** What the user has to be told. */
fun Roadbook.alertsFlow(): Flow<List<Alert>> = callbackFlow {
    val observer = object : AlertObserver {
        override fun onAlerts(alerts: List<Alert>) { trySend(alerts) }
    }
    val handle = observeAlerts(observer)
    awaitClose { handle.cancel(); handle.destroy() }
}.conflate()

/** Which files are referred to: first all that there are, as `added`, then what came and went. */
fun Roadbook.attachmentsFlow(): Flow<AttachmentChanges> = callbackFlow {
    val observer = object : AttachmentObserver {
        override fun onAttachments(changes: AttachmentChanges) { trySend(changes) }
        override fun onError(error: RoadbookException) { close(error) }
    }
    val handle = observeAttachments(observer)
    awaitClose { handle.cancel(); handle.destroy() }
}.buffer(Channel.UNLIMITED, BufferOverflow.SUSPEND)
