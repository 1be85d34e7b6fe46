# One thing done to many contacts.
bulk-title = Change many
bulk-picked = Chosen: { $n }
bulk-all = { $n ->
        [one] The { $n } contact
       *[other] All { $n } contacts
    } that this list finds
bulk-all-more = All contacts that this list finds, more than { $n }
bulk-or-pick = Or choose contacts in the list.
bulk-what = What to do
bulk-assign = Give to somebody
bulk-tag = Add a tag
bulk-untag = Take a tag away
bulk-status = Set the status
bulk-the-tag = Tag
bulk-no-status-choice = no status
bulk-spare = Leave out who must not be contacted
bulk-see = See what would change
bulk-earlier = Bulk actions
bulk-title-assign = Give to { $name }
bulk-title-unassign = Take from their owners
bulk-title-tag = Add the tag “{ $tag }”
bulk-title-untag = Take away the tag “{ $tag }”
bulk-title-retag = Rename the tag “{ $tag }” to “{ $to }”
bulk-title-status = Set the status to { $status }
bulk-title-no-status = Take the status away
bulk-no-status = Choose one of the statuses.
bulk-no-what = Choose what to do.
bulk-none-chosen = Choose contacts in the list, or all that it finds.
bulk-too-many = These are more than { $n } contacts. Narrow the filter and do it in parts.
bulk-would = would change
bulk-same = are so already
bulk-refused = are left out
bulk-means = What it means
bulk-means-assign = Each contact is handed over: it comes to the new owner's devices and leaves those of its present owner at their next connection. What they edited and have not sent waits for a decision.
bulk-means-tag = It is a change like any other, in your name: it stands in each contact's history and comes to the devices at their next connection.
bulk-means-status = It is a change like any other, in your name: it stands in each contact's history and comes to the devices at their next connection. Where somebody sets another status at the same moment, you are asked.
bulk-refused-why = Left out, because
bulk-left-why = Left as it is, because
bulk-why = Why
bulk-why-rights = the owner is of another team
bulk-why-gone = not there, or not yours to see
bulk-why-erased = was erased
bulk-why-mute = must not be contacted
bulk-why-receiver = the person may not be given contacts
bulk-why-changed = somebody changed it since
bulk-why-nothing = there is nothing to take back
bulk-why-failed = it could not be written
bulk-erased = { $n ->
        [one] { $n } contact was
       *[other] { $n } contacts were
    } erased meanwhile.
bulk-do = Change { $n ->
        [one] { $n } contact
       *[other] { $n } contacts
    }
bulk-can-undo = All of it can be taken back afterwards, for 90 days.
bulk-nothing = There is nothing to change.
bulk-listing = The list was not written down to its end. Choose the contacts again.
bulk-back = Back to the list
bulk-doing = { $n } of { $all } done.
bulk-undoing = { $n } of { $all } taken back.
bulk-cut-off = It was cut off after { $n } of { $all }. What was done stays; go on with the rest.
bulk-progress = Progress
bulk-look-again = Look again
bulk-may-leave = You may leave this page; it goes on.
bulk-go-on = Go on with { $n ->
        [one] { $n } contact
       *[other] { $n } contacts
    }
bulk-done = { $n ->
        [one] { $n } contact was
       *[other] { $n } contacts were
    } changed.
bulk-was-same = { $n ->
        [one] { $n } was
       *[other] { $n } were
    } so already.
bulk-undone = { $n ->
        [one] { $n } contact is
       *[other] { $n } contacts are
    } as before.
bulk-left = { $n ->
        [one] { $n } contact was
       *[other] { $n } contacts were
    } left.
bulk-left-title = Left as they are
bulk-by = { $who }, { $time }
bulk-undo = Take back { $n ->
        [one] { $n } change
       *[other] { $n } changes
    }
bulk-undo-hint = What somebody has changed since is left as it is, and named. An action can be taken back for 90 days.
bulk-too-old = It is older than 90 days and can't be taken back any more.
bulk-unseen = not yours to see
bulk-not-yours = Only who began it can go on with it.
bulk-none = Nothing was changed in bulk yet
bulk-none-text = Choose contacts in the list and what to do with them.
bulk-who = Who
bulk-stage-done = done
bulk-stage-undone = taken back
bulk-stage-open = under way
bulk-choose = Choose { $name }
bulk-choose-all = Choose all on this page
