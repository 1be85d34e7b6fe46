/**
 * A small runner, and what tests stand on: a directory, a real server and devices of their own. No
 * framework, so that the suite needs nothing but the compiler.
 */

import app.roadbook.*
import com.sun.jna.Library
import com.sun.jna.Native
import java.io.File
import java.io.InputStream
import java.nio.file.Files
import java.time.Duration
import java.util.concurrent.Callable
import java.util.concurrent.ExecutionException
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import java.util.concurrent.TimeoutException
import kotlin.system.exitProcess
import kotlinx.coroutines.channels.ReceiveChannel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.produceIn
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.supervisorScope
import kotlinx.coroutines.withTimeout

/** Generous: machines are shared. */
val WAIT: Duration = Duration.ofSeconds(60)
/** A test that takes longer hangs. */
const val TEST_SECONDS_MAX = 300L
const val NOBODY = "01010101-0101-4101-8101-010101010101"

/** The tests of one subject, by name: the name says what holds. */
class Subject(private val name: String) {
    val tests = mutableListOf<Pair<String, suspend World.() -> Unit>>()

    fun test(what: String, body: suspend World.() -> Unit) {
        tests += "$name: $what" to body
    }
}

fun subject(name: String, tests: Subject.() -> Unit) = Subject(name).apply(tests)

/** Runs the tests whose names contain the text; ends the process with 1 unless all of them hold. */
fun run(subjects: List<Subject>, filter: String): Nothing {
    val chosen = subjects.flatMap { it.tests }.filter { (name, _) -> filter in name }
    if (chosen.isEmpty()) {
        System.err.println("no test's name contains `$filter`")
        exitProcess(1)
    }
    val threads = Executors.newCachedThreadPool { Thread(it).apply { isDaemon = true } }
    val failed = mutableListOf<String>()
    for ((name, body) in chosen) {
        val began = System.nanoTime()
        val test = threads.submit(Callable { World().use { runBlocking { it.body() } } })
        val verdict = try {
            test.get(TEST_SECONDS_MAX, TimeUnit.SECONDS)
            "ok"
        } catch (error: ExecutionException) {
            failed += name
            "FAILED\n" + (error.cause ?: error).stackTraceToString()
        } catch (error: TimeoutException) {
            println("$name ... HANGS after $TEST_SECONDS_MAX s")
            for ((thread, stack) in Thread.getAllStackTraces()) {
                println("  ${thread.name}\n" + stack.joinToString("\n") { "    $it" })
            }
            exitProcess(1)
        }
        println("%s ... %s (%.1f s)".format(name, verdict, (System.nanoTime() - began) / 1e9))
    }
    println("\n${chosen.size} tests, ${failed.size} failed")
    failed.forEach { println("FAILED: $it") }
    exitProcess(if (failed.isEmpty()) 0 else 1)
}

class Failed(what: String) : AssertionError(what)

fun holds(held: Boolean, what: () -> String = { "it does not hold" }) {
    if (!held) throw Failed(what())
}

fun <T> equal(found: T, expected: T, what: String = "") {
    if (found != expected) throw Failed("$what: expected <$expected>, found <$found>")
}

/** The error of this kind that the call fails with. */
inline fun <reified E : Throwable> fails(call: () -> Any?): E {
    val came = try {
        call()
    } catch (error: Throwable) {
        if (error is E) return error
        throw Failed("expected ${E::class.java.simpleName}, was $error").initCause(error)
    }
    throw Failed("expected ${E::class.java.simpleName}, it gave $came")
}

/** The first item for which it holds. */
suspend fun <T> Flow<T>.until(wanted: (T) -> Boolean): T = withTimeout(WAIT.toMillis()) { first { wanted(it) } }

/** Collects for as long as the body runs: each item is read once. */
suspend fun <T> Flow<T>.watched(body: suspend (ReceiveChannel<T>) -> Unit) = supervisorScope {
    val items = produceIn(this)
    body(items)
    items.cancel()
}

/** The next item for which it holds. */
suspend fun <T> ReceiveChannel<T>.until(wanted: (T) -> Boolean): T = withTimeout(WAIT.toMillis()) {
    var item = receive()
    while (!wanted(item)) item = receive()
    item
}

fun text(field: Field, value: String): Edit = Edit.Set(field, Value.Text(value))

fun company(name: String): List<Edit> = listOf(text(Field.COMPANY, name))

/** The C library of the process, for what a JVM can't do to itself. */
interface C : Library {
    fun setenv(name: String, value: String, overwrite: Int): Int
    fun unsetenv(name: String): Int
    /** A limit is two numbers: what holds, and how far that may be raised. */
    fun getrlimit(resource: Int, limit: LongArray): Int
    fun setrlimit(resource: Int, limit: LongArray): Int

    companion object {
        val library: C = Native.load("c", C::class.java)
    }
}

/** Of Linux and macOS: how large a file may get that this process writes. */
private const val RLIMIT_FSIZE = 1

/** While the body runs no file of this process grows, as on a full disk. The JVM ignores the signal that comes with it. */
suspend fun <T> onAFullDisk(body: suspend () -> T): T {
    val before = LongArray(2)
    equal(C.library.getrlimit(RLIMIT_FSIZE, before), 0, "getrlimit")
    equal(C.library.setrlimit(RLIMIT_FSIZE, longArrayOf(1, before[1])), 0, "setrlimit")
    try {
        return body()
    } finally {
        equal(C.library.setrlimit(RLIMIT_FSIZE, before), 0, "setrlimit")
    }
}

/** A running `roadbook-server serve` with one rep. */
class Server(private val data: File, plain: Boolean) {
    private val process: Process
    val url: String
    /** Of its certificate, where it has one. */
    val fingerprint: String?

    init {
        val how = listOf("serve", "--listen", "127.0.0.1:0") + if (plain) listOf("--plain") else listOf()
        val errors = if (plain) ProcessBuilder.Redirect.DISCARD else ProcessBuilder.Redirect.PIPE
        process = command(how).redirectError(errors).start()
        url = awaited(process.inputStream, "listening on ")
        fingerprint = if (plain) null else awaited(process.errorStream, "fingerprint of the certificate's key: ")
    }

    private fun awaited(stream: InputStream, mark: String): String =
        stream.bufferedReader().lineSequence().firstOrNull { it.startsWith(mark) }?.removePrefix(mark)?.trim()
            ?: throw Failed("the server did not become ready")

    private fun command(arguments: List<String>) =
        ProcessBuilder(listOf(System.getenv("ROADBOOK_SERVER")) + arguments + listOf("--data", data.path))

    /** Runs a command of the office; gives what it printed. */
    fun office(vararg arguments: String): String {
        val errors = File.createTempFile("office", null)
        try {
            val command = command(arguments.toList()).redirectError(errors).start()
            val printed = command.inputStream.bufferedReader().readText()
            if (command.waitFor() != 0) throw Failed("${arguments.toList()}: ${errors.readText()}")
            return printed
        } finally {
            errors.delete()
        }
    }

    /** The last line that it printed. */
    fun admin(vararg arguments: String): String = office(*arguments).trim().lines().last()

    /** Sends a signal, such as `STOP`. */
    fun signal(name: String) {
        equal(ProcessBuilder("kill", "-$name", process.pid().toString()).start().waitFor(), 0, "kill -$name")
    }

    fun stop() {
        process.destroyForcibly().waitFor()
    }
}

/** A directory, a server and devices, all of which end with the test. */
class World : AutoCloseable {
    val dir: File = Files.createTempDirectory("roadbook").toFile()
    lateinit var server: Server
    private val ends = mutableListOf<() -> Unit>()

    fun atEnd(end: () -> Unit) {
        ends += end
    }

    fun serve(plain: Boolean = true): Server {
        server = Server(File(dir, "server"), plain)
        atEnd(server::stop)
        server.admin("user", "add", "rep", "--role", "rep", "--name", "Rita Rep")
        return server
    }

    fun home(name: String) = File(dir, name).path

    suspend fun open(name: String = "phone", settings: OpenSettings = OpenSettings(home(name))): Roadbook {
        val book = Roadbook.open(settings)
        atEnd(book::shutDown)
        return book
    }

    suspend fun device(name: String = "phone", settings: OpenSettings = OpenSettings(home(name))): Roadbook {
        val book = open(name, settings)
        book.enrol(server.url, server.admin("invite", "rep"), name, server.fingerprint)
        return book
    }

    /** Changes a database by hand. */
    fun sql(file: File, statement: String) {
        val script = "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as db: db.execute(sys.argv[2])"
        val python = ProcessBuilder("python3", "-c", script, file.path, statement).redirectErrorStream(true).start()
        val said = python.inputStream.bufferedReader().readText()
        equal(python.waitFor(), 0, said)
    }

    override fun close() {
        ends.asReversed().forEach { it() }
        dir.deleteRecursively()
    }
}
