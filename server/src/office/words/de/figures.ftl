# Whose figures, of which time.
everybody = Alle
team-name = Team { $name }
of-whom = Von
period = Zeitraum
n-days = { $n ->
        [one] { $n } Tag
       *[other] { $n } Tage
    }
n-months = { $n ->
        [one] { $n } Monat
       *[other] { $n } Monate
    }
n-years = { $n ->
        [one] { $n } Jahr
       *[other] { $n } Jahre
    }
month-year = { $month } { $year }
figures-label = Kennzahlen
as-a-table = Als Tabelle
figures-as-a-table = Die Zahlen als Tabelle

# Activity.
visits = Besuche
calls = Anrufe
activity-calls-others = { $calls ->
        [one] { $calls } Anruf
       *[other] { $calls } Anrufe
    }, { $others } Sonstige, Zeitraum { $period }
activity-hit-rate = Trefferquote
activity-hit-rule = Besuche mit Kauf oder gewonnenem Deal innerhalb von { $n } Tagen
activity-tasks-done = Aufgaben erledigt
activity-of-due = { $done } von { $n } fällig, Zeitraum { $period }
activity-neglected = Vernachlässigt
activity-of-cadence = von { $n } mit Kontaktrhythmus
nobody-yet = Noch niemand
activity-add-reps = Fügen Sie mit { $command } Personen hinzu.
activity-caption = Was jede Person getan hat
activity-other = Sonstige
new-contacts = Neue Kontakte
activity-overdue = Besuche überfällig
activity-narrow = { $new } neu · { $done } von { $tasks } Aufgaben · { $neglected } vernachlässigt
of-n = von { $n }
visits-and-calls = Besuche und Anrufe
activity-by-week = nach Wochen, Tage in UTC
activity-by-day = nach Tagen, Tage in UTC
activity-none = Nichts in diesem Zeitraum
activity-none-text = Besuche und Anrufe trägt der Außendienst auf dem Gerät ein, das Büro auf der Seite des Kontakts.
activity-bar = { $day }: { $visits ->
        [one] { $visits } Besuch
       *[other] { $visits } Besuche
    }, { $calls ->
        [one] { $calls } Anruf
       *[other] { $calls } Anrufe
    }
week-from = Woche ab
day = Tag

# The funnel.
funnel-none = Noch keine Deals
funnel-none-text = Der Außendienst legt Deals auf seinen Geräten an, das Büro auf der Seite eines Kontakts. Hier stehen sie nach ihrer Phase.
funnel-board = Tafel
funnel-drag = Ziehen Sie einen Deal in eine andere Phase, oder öffnen Sie „Verschieben“ auf ihm.
funnel-by-stage = Deals nach Phase
no-amount = kein Betrag
funnel-open = Offene Deals
funnel-expected = Erwartet
funnel-expected-rule = Betrag mal Wahrscheinlichkeit
funnel-won = Gewonnen
funnel-in-period = in diesem Zeitraum
funnel-won-of-closed = Gewonnen von abgeschlossen
funnel-n-lost = { $n ->
        [one] { $n } verloren
       *[other] { $n } verloren
    } in diesem Zeitraum
funnel-nothing = nichts hier
funnel-newest = Die neuesten { $shown } von { $n }.
funnel-here = { $span } hier
funnel-close = Abschluss { $date }
funnel-move = Verschieben
funnel-move-hidden = { $title } von { $name }
funnel-to-stage = In Phase
funnel-reason-if-lost = Grund, falls verloren
funnel-through = Wie Deals durchkommen
funnel-begun = begonnen, Zeitraum { $period }
funnel-none-began = Kein Deal begann
choose-longer = Wählen Sie einen längeren Zeitraum.
funnel-conversion-label = Übergang und Dauer je Phase
stage = Phase
funnel-reached = Erreicht
funnel-of-all = Von allen
funnel-go-on = Gehen weiter
funnel-stay = Verweildauer, Median
funnel-deals-lost = { $deals ->
        [one] { $deals } Deal
       *[other] { $deals } Deals
    }, { $lost } verloren.
funnel-half-won = Die Hälfte der gewonnenen brauchte bis zu { $span }.
funnel-no-day = kein Tag angegeben
funnel-outlook = Erwarteter Umsatz
funnel-by-close = nach erwartetem Abschluss
funnel-nothing-open = Nichts ist offen
funnel-nothing-open-text = Offene Deals mit Betrag stehen hier nach ihrem Monat.
funnel-by-month-label = Erwarteter Umsatz nach Monat
month = Monat
funnel-expected-note = Betrag mal die Wahrscheinlichkeit, die der Außendienst angab; ohne sie die der Phase: { $stages }.
funnel-why-lost = Warum Deals verloren gingen
funnel-none-lost = Nichts ging verloren
funnel-none-lost-text = In diesem Zeitraum ging kein Deal verloren.
funnel-no-reason = Kein Grund angegeben
deals = Deals

# Value.
value-no-day = „{ $text }“ ist kein Tag; schreiben Sie ihn als 2026-03-31.
value-no-limits = „{ $text }“ sind keine Grenzen für { $name }; schreiben Sie vier Zahlen von klein nach groß, etwa 30, 90, 180, 365.
value-name-recency = Aktualität
value-name-frequency = Häufigkeit
value-name-monetary = Umsatz
value-none = Noch wurde nichts gekauft
value-none-text = Käufe kommen mit { $command } oder werden auf der Seite eines Kontakts eingetragen.
value-incomplete = { $n ->
        [one] { $n } Kauf hat
       *[other] { $n } Käufe haben
    } kein Datum oder keinen Betrag und { $n ->
        [one] steht
       *[other] stehen
    } in keiner Zahl.
as-of-label = Stand
value-currency = Währung
value-purchases-of = Käufe aus
value-all-time = aller Zeit
value-classes-by = Klassen nach
value-quintiles = Fünfteln
value-limits = gewählten Grenzen
value-limit-recency = Tage seit dem letzten, Klasse 5 bis 2
value-limit-frequency = Käufe, Klasse 2 bis 5
value-limit-monetary = Umsatz, Klasse 2 bis 5
value-totals-label = Summen je Währung
value-revenue-in = Umsatz in { $currency }
value-total-of = { $purchases ->
        [one] { $purchases } Kauf
       *[other] { $purchases } Käufe
    } von { $customers ->
        [one] { $customers } Kunden
       *[other] { $customers } Kunden
    } bis { $date }
n-customers = { $n ->
        [one] { $n } Kunde
       *[other] { $n } Kunden
    }
value-rf = Aktualität und Häufigkeit
value-customers-in = Kunden, { $currency }
value-rf-note = R 5 kaufte zuletzt, F 5 am häufigsten. Jede Klasse ist ein Fünftel aller Kunden; gleiche Kunden teilen eine Klasse.
value-rf-note-limits = R 5 kaufte zuletzt, F 5 am häufigsten, nach den Grenzen oben; gleiche Kunden teilen eine Klasse.
value-rf-label = Kunden nach Aktualität und Häufigkeit
value-recency = Aktualität
value-cell = { $customers } mit Aktualität { $r } und Häufigkeit { $f }: { $amount }
class = Klasse
customers = Kunden
revenue = Umsatz
value-each = Je Kunde
value-mean-m = Mittleres M
value-moved = Wer sich bewegt hat
value-moved-against = gegen 3 Monate zuvor
value-moves-label = Wechsel zwischen Gruppen
value-group = Gruppe
value-now = Jetzt
value-came = Kamen
value-first = Erstmals
value-left = Gingen
value-moves-note = Kamen aus einer anderen Gruppe, kauften zum ersten Mal, gingen in eine andere Gruppe.
value-no-customer = kein Kunde
value-from-to = Von, nach
value-abc = Wer den Umsatz bringt
value-no-revenue = Kein Umsatz
value-no-revenue-text = In dieser Zeit wurde nichts verdient.
value-curve-label = Anteil des Umsatzes, den die größten Kunden bringen
value-curve-note = Waagerecht: Kunden, die größten zuerst. Senkrecht: ihr Anteil am Umsatz.
value-abc-label = ABC-Klassen
share = Anteil
value-a = erste 80 %
value-b = nächste 15 %
value-c = letzte 5 %
value-seasons = Monate und Saison
value-months-label = Umsatz jedes der letzten 24 Monate
purchases = Käufe
value-season = Saison: 100 ist ein mittlerer Monat
value-season-label = Index jedes Kalendermonats über ganze Jahre
value-index = Index
value-season-none = Saisons werden gezeigt, sobald es ein ganzes Jahr Käufe gibt.
value-silent = Verstummt, und es wert, geweckt zu werden
value-choose-all = Wählen Sie „aller Zeit“
value-choose-all-text = Stille wird an allen Käufen eines Kunden gemessen.
value-silent-none = Niemand ist verstummt
value-silent-none-text = Alle kauften innerhalb des Doppelten ihrer üblichen Zeit.
value-silent-caption = Verstummte Kunden, die größten zuerst
customer = Kunde
owner = Zuständig
value-silent-for = Still seit
value-usual = Üblich
nobody = niemand
value-every = alle { $span }
value-once = einmal
value-silent-note = Still seit mehr als dem Doppelten der üblichen Zeit zwischen Käufen und mehr als { $days } Tagen; wer einmal kaufte, seit mehr als { $once }.
value-nps = Würden sie uns empfehlen
value-nps-what = Net Promoter Score, 12 Monate
value-nps-none = Noch keine Antwort
value-nps-none-text = Der Außendienst trägt eine Umfrage mit ihrer Antwort von 0 bis 10 auf seinen Geräten ein, das Büro auf der Seite eines Kontakts.
value-nps-answers = { $n ->
        [one] { $n } Antwort
       *[other] { $n } Antworten
    }: { $promoters } Fürsprecher (9–10), { $passives } Neutrale (7–8), { $detractors } Kritiker (0–6)
value-nps-no-answer = keine Antwort
value-nps-label = Wert jedes Monats
value-score = Wert
value-no-comment = Niemand hat zur Antwort etwas gesagt.
group-champions = Champions
group-loyal = Treue
group-promising = Vielversprechende
group-new = Neue
group-need-attention = Brauchen Aufmerksamkeit
group-fading = Verblassende
group-at-risk = Gefährdete
group-dormant = Schlafende
