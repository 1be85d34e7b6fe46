# Numbers, days, spans.
months-short = Jan. Feb. März Apr. Mai Juni Juli Aug. Sep. Okt. Nov. Dez.
date = { $day }. { $month } { $year }
date-without-year = { $day }. { $month }
date-time = { $date }, { $time }
time-utc = { $time } UTC
time-unknown = unbekannt
span-under-a-minute = unter einer Minute
span-minutes = { $n } Min.
span-hours = { $n } Std.
span-days = { $n } T.
as-of = Stand { $time }
money = { $amount } { $currency }

# Counts of many pages.
n-contacts = { $n ->
        [one] { $n } Kontakt
       *[other] { $n } Kontakte
    }
n-devices = { $n ->
        [one] { $n } Gerät
       *[other] { $n } Geräte
    }
n-edits = { $n ->
        [one] { $n } Änderung
       *[other] { $n } Änderungen
    }
n-minutes = { $n ->
        [one] { $n } Minute
       *[other] { $n } Minuten
    }

# The frame.
skip-to-content = Zum Inhalt springen
nav-main = Hauptnavigation
nav-today = Heute
nav-contacts = Kontakte
nav-segments = Segmente
nav-funnel = Pipeline
nav-activity = Aktivität
nav-value = Kundenwert
nav-decide = Entscheiden
nav-people = Personen
nav-alerts = Warnungen
nav-settings = Einstellungen
n-to-decide-hidden = { $n ->
        [one] zu entscheiden
       *[other] zu entscheiden
    }
n-new-hidden = { $n ->
        [one] neu
       *[other] neu
    }
role-rep = Außendienst
role-manager = Leitung
role-admin = Administration
role-read-only = nur lesen
held-back = Kundendaten werden zurückgehalten.
held-back-why = Der Server wurde ohne sein Register wiederhergestellt. { $link }.
held-back-link = Sehen Sie, was zu entscheiden ist
sign-out = Abmelden
not-live = nicht live
receipt-quarantined = auf dem Gerät gespeichert, auf dem Server gesichert, in Quarantäne
receipt-merged = auf dem Gerät gespeichert, auf dem Server gesichert, zusammengeführt
receipt-stored = auf dem Gerät gespeichert, auf dem Server gesichert

# Texts of the script.
js-changed = Während Sie schrieben, hat jemand anderes das geändert.
js-take-theirs = Meines verwerfen, das andere zeigen
js-live = live
js-not-live = nicht live
js-reconnecting = verbindet neu
js-saved = Gespeichert.
js-unreachable = Der Server ist nicht erreichbar.
js-unsaved = Es kam keine Antwort vom Server. Was Sie geschrieben haben, steht noch hier; senden Sie es noch einmal, es geschieht nicht doppelt.
js-answered = Der Server hat mit { $status } geantwortet.

# What went wrong.
error-not-allowed = Nicht erlaubt
error-not-here = Nicht hier
error-not-taken = Nicht angenommen
error-changed = Inzwischen geändert
error-not-now = Jetzt nicht
error-enough = Genug für jetzt
error-slow-down = Bitte langsamer
error-failed = Das hat nicht geklappt
error-no-such-page = In diesem Arbeitsbereich gibt es keine solche Seite. Vielleicht wurde sie gelöscht, oder der Link ist unvollständig.
error-no-such = Das gibt es in diesem Arbeitsbereich nicht ({ $what }). Vielleicht wurde es gelöscht, oder der Link ist unvollständig.
error-too-many = Zu viele Versuche. Versuchen Sie es in { $minutes } wieder.
error-failed-text = Der Server konnte das nicht tun. Nichts wurde geändert. Versuchen Sie es noch einmal; bleibt es dabei, sagen Sie es der Administration: deren Protokoll hat den Grund.
error-go-to-today = Zu „Heute“
error-number = Fehler { $n }
what-page = Seite
what-thing = Eintrag
what-contact = Kontakt
what-device = Gerät
what-person = Person
what-segment = Segment
what-proposal = Vorschlag
what-alert = Warnung
what-deal = Deal
what-cell = Zelle
forbidden-role = Ihre Rolle darf das nicht. Die Administration kann es tun oder Ihnen eine andere Rolle geben.
forbidden-read-only = Ihre Rolle darf hier lesen und nichts ändern. Die Administration kann Ihnen eine andere geben.
forbidden-review = Der Server wurde wiederhergestellt, und die Administration muss erst bestätigen, wer was sehen darf. Ihre Geräte nehmen weiter Änderungen an.
forbidden-session = Das Formular gehört zu einer anderen Sitzung. Laden Sie die Seite neu und senden Sie es noch einmal.
forbidden-site = Dieses Formular kam von einer anderen Website. Öffnen Sie die Seite hier und senden Sie es noch einmal.
form-unreadable = Das Formular war nicht lesbar: { $error }.
forbidden-beside = Sie arbeiten an diesem Kontakt neben jemandem aus einem anderen Team. Fragen Sie dessen Leitung oder die Administration.
