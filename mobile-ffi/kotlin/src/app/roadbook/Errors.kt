/** What went wrong, for people. */
package app.roadbook

/** What went wrong and, where there is one, the way out: to be shown as it is. */
val RoadbookException.explanation: String
    get() = when (this) {
        is RoadbookException.NotEnrolled -> reason
        is RoadbookException.NotFound -> reason
        is RoadbookException.Ambiguous -> reason
        is RoadbookException.Invalid -> "$field: $reason; $wayOut"
        is RoadbookException.NotAllowed -> reason
        is RoadbookException.Offline -> reason
        is RoadbookException.Refused -> reason
        is RoadbookException.Wiped -> reason
        is RoadbookException.LeaseEnded -> reason
        is RoadbookException.Untrusted -> reason
        is RoadbookException.Address -> "$url is not a usable server address: $reason"
        is RoadbookException.Locked -> "$home is in use by $holder"
        is RoadbookException.NewerFile -> reason
        is RoadbookException.Damaged -> reason
        is RoadbookException.Suspended -> "the replica is suspended: call resume first"
        is RoadbookException.Closed -> "the replica is closed: open it anew"
        is RoadbookException.Storage -> reason
        is RoadbookException.Keys -> reason
        is RoadbookException.Cancelled -> "the call was cancelled"
        is RoadbookException.Panic -> report
    }
