/** What the screens of the sample show and do, without Compose: it is compiled and run on the JVM too. */
package app.roadbook.sample

import app.roadbook.*
import java.time.Duration
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.catch
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/** All that is on the screen. */
data class Screen(
    /** The window of the list. */
    val rows: List<ContactRow> = emptyList(),
    /** How many contacts the filter selects. */
    val total: ULong = 0uL,
    /** Edits that the server does not have yet. */
    val unsent: ULong = 0uL,
    /** Whether there is a connection. */
    val online: Boolean = false,
    /** What the user has to be told. */
    val alerts: List<Alert> = emptyList(),
    /** The last error, in words for people. */
    val trouble: String? = null,
)

/**
 * The list with its search, one contact, and how the exchange with the server stands. What it watches ends
 * with `scope`, such as `viewModelScope`; what waits for the disk or the network does so on `io`.
 */
class ContactsModel(
    private val book: Roadbook,
    private val scope: CoroutineScope,
    private val io: CoroutineDispatcher = Dispatchers.IO,
) {
    private val shown = MutableStateFlow(Screen())

    /** What to show, now and whenever it changed. */
    val screen: StateFlow<Screen> = shown

    private val watching = mutableMapOf<String, Job>()

    /** Whether somebody has enrolled this device. */
    val enrolled: Boolean get() = book.status().enrolled

    /** Enrols with the code that the office gave out. */
    suspend fun enrol(url: String, code: String, name: String) {
        attempt { book.enrol(url, code, name) } ?: return
        watch(null)
    }

    /** Watches the list, the exchange and the alerts; a filter that is watched already is replaced. */
    fun watch(filter: String?) {
        follow("list", book.listFlow(ListQuery(filter = filter, limit = 200u))) { page ->
            copy(rows = page.rows, total = page.total)
        }
        follow("sync", book.syncFlow()) { sync ->
            copy(unsent = sync.unsent, online = sync.phase == Phase.IDLE || sync.phase == Phase.SYNCING)
        }
        follow("alerts", book.alertsFlow()) { alerts -> copy(alerts = alerts) }
    }

    /** One contact, whole, now and whenever it changed. */
    fun contact(id: String): Flow<Contact?> = book.contactFlow(id).catch { tell(it) }

    /** Saves what the user typed, as one change; it needs no network. */
    suspend fun save(id: String?, edits: List<Edit>) {
        attempt { if (id == null) book.create(edits) else book.edit(id, edits) }
    }

    /** What waits for a decision. */
    suspend fun conflicts(): List<Conflict> = attempt { book.conflicts() }.orEmpty()

    /** Decides a conflict with one of its sides. */
    suspend fun decide(conflict: Conflict, side: ConflictSide) {
        attempt { book.resolve(conflict.contactId, conflict.field, side.value) }
    }

    /** Where the edits of this device are. */
    suspend fun receipts(): List<OutboxEntry> = attempt { book.outbox(all = true) }.orEmpty()

    /** When the app comes to the foreground. */
    suspend fun enterForeground() {
        attempt {
            book.resume()
            book.startSync()
        }
    }

    /** When the app goes to the background: no file is open and no lock is held afterwards. */
    suspend fun enterBackground() {
        attempt { book.suspend() }
    }

    /** For WorkManager: exchanges what it can in the given time; whether that was everything. */
    suspend fun refresh(within: Duration): Boolean = attempt { book.syncOnce(within) } != null

    private fun <T> follow(name: String, news: Flow<T>, take: Screen.(T) -> Screen) {
        watching.remove(name)?.cancel()
        watching[name] = scope.launch {
            news.catch { tell(it) }.collect { item -> shown.update { it.take(item) } }
        }
    }

    /** Does it off the main thread; an error is told, not thrown. */
    private suspend fun <T : Any> attempt(work: suspend () -> T?): T? =
        try {
            val result = withContext(io) { work() }
            shown.update { it.copy(trouble = null) }
            result
        } catch (cancelled: CancellationException) {
            throw cancelled
        } catch (error: RoadbookException) {
            tell(error)
            null
        }

    private fun tell(error: Throwable) = shown.update { it.copy(trouble = words(error)) }
}

/** An error for people. */
fun words(error: Throwable): String = when (error) {
    is RoadbookException.Offline -> "No connection. What you changed is safe, and is sent later."
    is RoadbookException.Panic -> "A defect. Please send us the report."
    is RoadbookException -> error.explanation
    else -> error.toString()
}
