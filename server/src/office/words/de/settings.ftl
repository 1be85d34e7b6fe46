settings-group-you = Sie
settings-group-people = Personen
settings-group-law = Recht und Ordnung
settings-account = Sprache, Passwort, zweiter Faktor, andere Browser.
settings-people = Wer hier arbeitet, auf welchen Geräten, und wie aktuell diese sind.
settings-retention = Nach welcher Zeit ohne Kontakt Personen gelöscht werden.
settings-erasures = Wer gelöscht wurde und welche Geräte es bestätigt haben.
settings-audit = Wer was getan hat, und dass nichts davon verändert wurde.
people-title = Personen und Geräte
retention-title = Aufbewahrung
erasures-title = Löschungen
audit-title = Protokoll
settings-group-work = Wie Sie arbeiten
settings-group-programs = Andere Programme
settings-team = Personen hinzufügen, Rollen und Teams ändern, Geräte verbinden.
settings-look = Name, Farbe und Logo Ihrer Firma.
settings-sorting = Nach dem Alphabet welcher Sprache Listen geordnet sind
settings-stages = Wie wahrscheinlich ein Deal in jeder Phase ist.
settings-custom = Eigene Felder neben denen, die jeder Kontakt hat.
settings-tags = Schlagwörter umbenennen, zusammenlegen, entfernen.
settings-keys = Was andere Programme lesen und schreiben dürfen.
settings-hooks = Wem gemeldet wird, wenn etwas geschieht.
what-webhook = Webhook

# People and teams.
team-title = Personen und Teams
team-device-code = Dieser Code verbindet ein Gerät von { $person }. Er wird nur jetzt gezeigt und läuft bald ab.
team-sign-in-code = Mit diesem Code setzt { $person } ein Passwort, unter /welcome. Er wird nur jetzt gezeigt und läuft bald ab.
team-connect = Gerät verbinden
team-let-in = Wieder hereinlassen
team-keep-out = Aussperren
team-factor-off = Zweiten Faktor ausschalten
team-factor-confirm = Den zweiten Faktor von { $person } ausschalten? Dann öffnet das Passwort allein die Tür.
team-none = Keines
team-add = Jemanden hinzufügen
team-add-hint = Ein Code für das erste Mal folgt.
team-teams = Teams
team-teams-none = Es gibt noch kein Team: Alle im Büro sehen alles.
team-part-of = Teil von { $name }
n-people = { $n ->
        [one] { $n } Person
       *[other] { $n } Personen
    }
team-set = Neues Team oder eines, das umzieht
team-within = Innerhalb von

# The look.
look-title = Aussehen
look-name = Wie Ihre Firma hier heißt
look-name-hint = Über der Navigation und im Titel des Fensters.
look-colour = Farbe
look-colour-hint = Sie wird dunkler oder heller, wo sie schwer zu lesen wäre.
look-logo = Logo
look-logo-hint = PNG, JPEG oder WebP, höchstens { $n } kB.
look-logo-large = Dieses Bild ist zu groß: höchstens { $n } kB.
look-logo-kind = Das ist kein PNG-, JPEG- oder WebP-Bild mit höchstens 2048 Pixeln je Seite.
look-logo-remove = Das Logo entfernen
look-usual = Wie ausgeliefert
look-no-name = Ein Name hat höchstens { $n } Zeichen, in einer Zeile.
look-no-colour = Geben Sie die Farbe als #rrggbb an.

# By which language lists are sorted.
sorting-title = Sortierung
sorting-text = Die Listen der Zentrale sind nach einem Alphabet sortiert, für alle, die sie ansehen. Geräte sortieren in der allgemeinen Ordnung.
sorting-language = Sprache
sorting-general = Allgemeine Ordnung
sorting-hint = Die allgemeine Ordnung passt für Deutsch, Englisch, Französisch, Italienisch und die meisten anderen Sprachen, in jeder Schrift. Dänisch stellt Æ, Ø und Å hinter Z; Russisch stellt kyrillische Namen vor lateinische.
sorting-left = { $n ->
        [one] Ein Kontakt ist
       *[other] { $n } Kontakte sind
    } noch neu zu sortieren. Bis dahin stehen Listen in beiden Ordnungen.
sorting-unknown = Wählen Sie eine der Sprachen.

# Stages.
stages-title = Phasen eines Deals
stages-text = Wo der Außendienst einem Deal keine eigene Wahrscheinlichkeit gab, gilt die seiner Phase. Der erwartete Umsatz der Pipeline rechnet damit.
stages-usual = Die üblichen
stages-no-number = Geben Sie „{ $stage }“ eine ganze Zahl von 0 bis 100.

# Keys of programs.
keys-title = API-Schlüssel
keys-made = Das ist der Schlüssel „{ $name }“. Bewahren Sie ihn dort auf, wo ihn nur das Programm liest: Er wird nicht wieder gezeigt.
keys-none = Noch kein Schlüssel
keys-none-text = Ein Programm, das über die HTTP-API liest oder schreibt, braucht einen: ein ERP, ein Shop, ein Skript.
keys-rights-of = Mit den Rechten von
keys-scopes = Wofür
keys-last-used = Zuletzt benutzt
keys-rate = { $n } pro Minute
keys-rate-label = Anfragen pro Minute
keys-revoked = gesperrt
keys-revoke-confirm = Den Schlüssel { $name } sperren? Er öffnet dann nichts mehr.
keys-new = Neuer Schlüssel
keys-make = Schlüssel erzeugen
keys-hint = Ein Schlüssel darf nie mehr als seine Person.
keys-no-scope = Sagen Sie, wofür der Schlüssel ist: Kreuzen Sie mindestens eines an.
keys-no-rate = Geben Sie die Anfragen pro Minute als ganze Zahl von 1 bis 60000 an.

# Webhooks.
hooks-title = Webhooks
hooks-made = Ab jetzt gehen Ereignisse an { $url }. Das ist das Geheimnis ihrer Signaturen; es wird nicht wieder gezeigt.
hooks-none = Noch kein Webhook
hooks-none-text = Ein Webhook meldet einem anderen Programm, was geschieht, sobald es geschieht.
hooks-address = Adresse
hooks-events = Ereignisse
hooks-event = Ereignis
hooks-given-up = Aufgegeben
hooks-n-given-up = { $n ->
        [one] { $n } Ereignis aufgegeben
       *[other] { $n } Ereignisse aufgegeben
    }
hooks-failing = { $n ->
        [one] { $n } Versuch schlug fehl
       *[other] { $n } Versuche schlugen fehl
    }
hooks-again-in = wieder in { $span }
hooks-fine = liefert
hooks-last = zuletzt { $time }
hooks-nothing-yet = noch nichts gesendet
hooks-since = seit { $time }
hooks-remove-confirm = Nichts mehr an { $url } senden? Was aufgegeben wurde, entfällt damit.
hooks-new = Neuer Webhook
hooks-reach-of = Sieht, was … sieht
hooks-hint = Signiert, mit wachsenden Pausen wiederholt, auf einer Liste, wenn alles scheiterte.
hooks-no-event = Kreuzen Sie mindestens ein Ereignis an.
hooks-dead-none = Nichts wurde aufgegeben
hooks-dead-none-text = Hier steht, was nach allen Versuchen nicht zugestellt werden konnte. { $link }
hooks-retry-all = Alle wieder senden
hooks-retry = Wieder senden

# Tags.
tags-title = Schlagwörter
tags-text = Ein anderer Name für ein Schlagwort, oder der eines vorhandenen: dann werden zwei zu einem. Es wird gezeigt, bevor es geschieht, steht in der Historie jedes Kontakts und kann zurückgenommen werden.
tags-more = Nur die ersten { $n } Schlagwörter werden gezeigt.
tags-none = Es gibt noch keine Schlagwörter.
tags-none-text = Sie kommen mit importierten Kontakten, mit Änderungen im Büro und von Geräten.
tags-alike = verschieden geschrieben
tags-new-name = Neuer Name für { $tag }
tags-rename = Umbenennen …
tags-remove = Entfernen …
tags-in-parts = { $n } Kontakte auf einmal; für die übrigen noch einmal.
tags-same = So heißt es schon; geben Sie ihm einen anderen Namen.
tags-gone = Kein Kontakt hat dieses Schlagwort mehr.

# Custom fields.
custom-title = Eigene Felder
custom-text = Sie stehen auf der Seite jedes Kontakts und kommen auf alle Geräte, in dieser Reihenfolge. Filter finden sie als custom."NAME". Was Kontakte schon haben, bleibt, was auch immer hier geändert wird.
custom-none = Es sind noch keine eigenen Felder festgelegt.
custom-none-text = Werte aus einem Import bleiben dennoch erhalten; legen Sie ein Feld gleichen Namens fest, um ihnen eine Art zu geben.
custom-name = Name
custom-kind = Was hineinkommt
custom-add = Eigenes Feld hinzufügen
custom-name-hint = Der Name bleibt: Unter ihm haben die Kontakte ihre Werte.
custom-choices = Werte einer Auswahl, einer je Zeile
custom-kind-text = Text
custom-kind-number = Zahl
custom-kind-date = Datum
custom-kind-choice = Auswahl
custom-kind-yes-no = Ja oder nein
custom-earlier = Nach oben
custom-earlier-one = { $name } einen Platz nach oben
custom-remove-confirm = Das Feld { $name } entfernen? Die Werte der Kontakte bleiben.
