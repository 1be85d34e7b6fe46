/** All tests. An argument is a part of the names of those to run. */
fun main(arguments: Array<String>) {
    run(
        listOf(calls, errors, troubles, keys, watching, attachments, givingUp, much, logging),
        arguments.firstOrNull() ?: "",
    )
}
