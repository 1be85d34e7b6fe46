/** The log, which comes to the app with levels and without data of contacts. */

import app.roadbook.*
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit

private const val MARKER = "Qxzv7MarkerOfAContact"

val logging = subject("logging") {
    test("the log comes with levels and without data of contacts, and a sink that throws harms nobody") {
        val lines = ConcurrentLinkedQueue<Pair<LogLevel, String>>()
        val some = CountDownLatch(1)
        setLogSink(LogLevel.DEBUG, object : LogSink {
            override fun log(level: LogLevel, target: String, message: String) {
                lines += level to "$target: $message"
                some.countDown()
                throw IllegalStateException("thrown by the app")
            }
        })
        atEnd { setLogSink(LogLevel.ERROR, null) }
        serve()
        val phone = device()
        phone.observeList(ListQuery(), object : ListObserver {
            override fun onPage(page: ContactPage) = throw IllegalStateException("thrown by the app")
            override fun onError(error: RoadbookException) {}
        }).use {
            phone.create(company(MARKER) + text(Field.LEGAL_NAME, MARKER))
            fails<RoadbookException.Invalid> { phone.create(listOf(text(Field.BIRTHDAY, MARKER))) }
            phone.search(MARKER)
            phone.syncOnce(WAIT)
            holds(some.await(WAIT.toSeconds(), TimeUnit.SECONDS)) { "no line came" }
        }
        for ((level, line) in lines) holds(MARKER !in line) { "$level $line" }
    }
}
