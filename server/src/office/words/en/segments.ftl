# Segments.
segments-ready = Ready made
segments-saved = Saved
segments-saved-none = Build a segment and save it under a name.
segments-yours-shared = yours, shared
segments-yours = yours
segments-shared = shared
segments-remove-confirm = Remove the segment { $name }? The contacts stay.
segments-remove-label = Remove the segment { $name }
segments-build = Build a segment
segments-others = What happened, where, whose
segments-fields = Fields of the contact
segments-how = How
segments-value = Value
segments-join = Holds
segments-and = as well
segments-or = or instead of the last
segments-add = Add condition
segments-by-hand = As a filter; fields of your own are custom.NAME
segments-all = All contacts. Choose a segment, or add conditions: all of them must hold.
segments-take-out = Take out { $condition }
segments-take-out-filter = Take out the filter
segments-clear = Clear
segments-count = { $n ->
        [one] { $n } contact
       *[other] { $n } contacts
    } in this segment
segments-everybody-sees = Everybody of the office sees it
segments-to = To
segments-see-move = See what would move
segments-whom = Whom
segments-everybody = everybody in it
segments-consent-email = with consent for e-mail
segments-consent-phone = with consent for telephone
segments-consent-post = with consent for post
segments-consent-sms = with consent for SMS
segments-export-csv = Export as CSV
segments-in-audit = Every export stands in the audit log.
segments-mails = With a channel, who has not consented and who must not be contacted is left out.
segments-whole-base = Only somebody with the whole base may export.
segments-assign-title = Assign a segment
segments-went = { $n ->
        [one] { $n } contact
       *[other] { $n } contacts
    } went to { $whom }; { $unchanged ->
        [one] { $unchanged } was
       *[other] { $unchanged } were
    } theirs already.
segments-would-go = { $n ->
        [one] { $n } contact
       *[other] { $n } contacts
    } would go to { $whom }; { $unchanged ->
        [one] { $unchanged } is
       *[other] { $unchanged } are
    } theirs already.
segments-back = Back to the segment
segments-assign-hint = The contacts are taken from their present owners' devices at their next connection, and come to those of the new owner.
segments-assign-n = Assign { $n ->
        [one] { $n } contact
       *[other] { $n } contacts
    }
lists-hand = Hand out as a list
lists-name = Name of the list
lists-to = To whom
lists-each-owner = Everybody who owns a contact in it
lists-see = See who gets what
lists-title = Hand out a segment as a list
lists-would-go = The list “{ $name }” would appear on the devices of these people. Each gets the contacts that they hold.
lists-replaces = It takes the place of the list that has this name now.
lists-empty = None of these people holds a contact of the segment. Assign the contacts first.
lists-nobody = { $n ->
        [one] { $n } contact is
       *[other] { $n } contacts are
    } held by none of them and will not be in the list.
lists-hint = The list keeps what the segment finds now. Contacts that change hands or are erased leave it by themselves; others come in when it is handed out again.
lists-hand-n = Hand it to { $n ->
        [one] { $n } person
       *[other] { $n } people
    }
lists-went = The list “{ $name }” is handed out. Connected devices have it now, the others at their next connection.
lists-handed = Handed out
lists-none = No list has been handed out.
lists-to-whom = to { $to }
lists-by = by { $by }, { $time }
lists-back = Take back
lists-back-label = Take back the list { $name }
lists-back-confirm = Take back the list { $name }? It disappears from the devices; the contacts stay.
lists-no-name = Give the list a name of up to 80 characters, with letters or digits in it.
lists-nobody-chosen = Choose to whom the list goes.
assign = Assign
segments-no-name = Give the segment a name of up to 80 letters.
segments-no-field = There is no field “{ $field }” to choose.
segments-no-value = Write what to compare with.
segments-one-word = “contains” takes one word.
segments-no-days = Write a number of days.
segments-no-how = Choose how to compare.
seg-group-bases = Bases
seg-group-care = Care
seg-group-loyalty = Loyalty
seg-potential = Potential
seg-potential-what = never bought
seg-new = New
seg-new-what = bought once, within a year
seg-active = Active
seg-active-what = bought again, within a year
seg-dormant = Dormant
seg-dormant-what = bought, then silent for a year
seg-key-accounts = Key accounts
seg-key-accounts-what = class A, or marked so
seg-no-contact-for-60-days = No contact for 60 days
seg-no-contact-for-60-days-what = customers
seg-beyond-their-cadence = Beyond their cadence
seg-beyond-their-cadence-what = contact is overdue
seg-truly-loyal = Truly loyal
seg-truly-loyal-what = content, and buying
seg-accessible = Accessible
seg-accessible-what = content, but not buying
seg-trapped = Trapped
seg-trapped-what = not content, but buying
seg-high-risk = High risk
seg-high-risk-what = neither
by-tag = Tag
by-city = City
by-postal-code = Postal code
by-region = Region
by-country = Country
by-owner = Owner (login)
by-contacted = Last contact
by-touched = Last change
by-visits = Visits
by-calls = Calls
by-interactions = Interactions
by-complaints = Complaints
by-bought = Last purchase
by-purchases = Purchases
by-revenue = Revenue
by-deal = Open deals
by-stage = Stage of a deal
by-tasks = Open tasks
by-consent = Consent for channel
by-recency = Recency class
by-frequency = Frequency class
by-monetary = Monetary class
by-abc = ABC class
by-nps = Latest answer (NPS)
op-is = is
op-not = is not
op-contains = contains
op-min = is at least
op-max = is at most
op-older = is longer ago than (days)
op-within = is within the last (days)
op-there = is there
op-missing = is not there
segments-from = From
