# Numbers, days, spans.
months-short = Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec
date = { $day } { $month } { $year }
date-without-year = { $day } { $month }
date-time = { $date }, { $time }
time-utc = { $time } UTC
time-unknown = unknown
span-under-a-minute = under a minute
span-minutes = { $n } min
span-hours = { $n } h
span-days = { $n } d
as-of = as of { $time }
money = { $amount } { $currency }

# Counts of many pages.
n-contacts = { $n ->
        [one] { $n } contact
       *[other] { $n } contacts
    }
n-devices = { $n ->
        [one] { $n } device
       *[other] { $n } devices
    }
n-edits = { $n ->
        [one] { $n } edit
       *[other] { $n } edits
    }
n-minutes = { $n ->
        [one] { $n } minute
       *[other] { $n } minutes
    }

# The frame.
skip-to-content = Skip to the content
nav-main = Main
nav-today = Today
nav-contacts = Contacts
nav-segments = Segments
nav-funnel = Funnel
nav-activity = Activity
nav-value = Value
nav-decide = Decide
nav-people = People
nav-alerts = Alerts
nav-settings = Settings
n-to-decide-hidden = { $n ->
        [one] to decide
       *[other] to decide
    }
n-new-hidden = { $n ->
        [one] new
       *[other] new
    }
role-rep = rep
role-manager = manager
role-admin = admin
role-read-only = read only
held-back = Customer data is held back.
held-back-why = The server was restored without its ledger. { $link }.
held-back-link = See what is to be decided
sign-out = Sign out
not-live = not live
receipt-quarantined = saved on the device, stored on the server, quarantined
receipt-merged = saved on the device, stored on the server, merged
receipt-stored = saved on the device, stored on the server

# Texts of the script.
js-changed = Changed by somebody else while you were writing.
js-take-theirs = Drop mine, show theirs
js-live = live
js-not-live = not live
js-reconnecting = reconnecting
js-saved = Saved.
js-unreachable = The server can't be reached.
js-unsaved = No answer came from the server. What you wrote is still here; send it again, it is not done twice.
js-answered = The server answered { $status }.

# What went wrong.
error-not-allowed = Not allowed
error-not-here = Not here
error-not-taken = Not taken
error-changed = Changed meanwhile
error-not-now = Not now
error-enough = Enough for now
error-slow-down = Slow down
error-failed = That did not work
error-no-such-page = There is no such page in this workspace. It may have been erased, or the link is incomplete.
error-no-such = There is no such { $what } in this workspace. It may have been erased, or the link is incomplete.
error-too-many = Too many attempts. Try again in { $minutes }.
error-failed-text = The server could not do this. Nothing was changed. Try again; if it stays, tell the administrator, whose log has the reason.
error-go-to-today = Go to Today
error-number = Error { $n }
what-page = page
what-thing = thing
what-contact = contact
what-device = device
what-person = person
what-segment = segment
what-proposal = proposal
what-alert = alert
what-deal = deal
what-cell = cell
forbidden-role = Your role may not do this. An administrator can, or can give you another role.
forbidden-read-only = Your role may read here and change nothing. An administrator can give you another.
forbidden-review = The server was restored, and an administrator has to confirm first who may see what. Your devices go on taking edits.
forbidden-session = The form was made for another session. Reload the page and send it again.
forbidden-site = This form came from another site. Open the page here and send it again.
form-unreadable = The form could not be read: { $error }.
forbidden-beside = You work on this contact beside an owner of another team. Ask their manager, or an administrator.
