# One thing done to many contacts.
bulk-title = Viele ändern
bulk-picked = Ausgewählt: { $n }
bulk-all = { $n ->
        [one] Den { $n } Kontakt
       *[other] Alle { $n } Kontakte
    } dieser Liste
bulk-all-more = Alle Kontakte dieser Liste, mehr als { $n }
bulk-or-pick = Oder wählen Sie Kontakte in der Liste aus.
bulk-what = Was tun
bulk-assign = Jemandem geben
bulk-tag = Schlagwort hinzufügen
bulk-untag = Schlagwort entfernen
bulk-status = Status setzen
bulk-the-tag = Schlagwort
bulk-no-status-choice = kein Status
bulk-spare = Auslassen, wer nicht kontaktiert werden darf
bulk-see = Zeigen, was sich ändern würde
bulk-earlier = Sammeländerungen
bulk-title-assign = An { $name } geben
bulk-title-unassign = Den Zuständigen wegnehmen
bulk-title-tag = Schlagwort „{ $tag }“ hinzufügen
bulk-title-untag = Schlagwort „{ $tag }“ entfernen
bulk-title-retag = Schlagwort „{ $tag }“ in „{ $to }“ umbenennen
bulk-title-status = Status auf { $status } setzen
bulk-title-no-status = Status entfernen
bulk-no-status = Wählen Sie einen der Status.
bulk-no-what = Wählen Sie, was zu tun ist.
bulk-none-chosen = Wählen Sie Kontakte in der Liste aus, oder alle, die sie zeigt.
bulk-too-many = Das sind mehr als { $n } Kontakte. Engen Sie den Filter ein und gehen Sie in Teilen vor.
bulk-would = würden sich ändern
bulk-same = sind schon so
bulk-refused = bleiben ausgenommen
bulk-means = Was das bedeutet
bulk-means-assign = Jeder Kontakt wird übergeben: Er kommt auf die Geräte der neuen Zuständigen und verlässt die der bisherigen bei deren nächster Verbindung. Was dort geändert und noch nicht gesendet ist, wartet auf eine Entscheidung.
bulk-means-tag = Es ist eine Änderung wie jede andere, in Ihrem Namen: Sie steht in der Historie jedes Kontakts und kommt bei der nächsten Verbindung auf die Geräte.
bulk-means-status = Es ist eine Änderung wie jede andere, in Ihrem Namen: Sie steht in der Historie jedes Kontakts und kommt bei der nächsten Verbindung auf die Geräte. Setzt jemand im selben Moment einen anderen Status, werden Sie gefragt.
bulk-refused-why = Ausgenommen, weil
bulk-left-why = So gelassen, weil
bulk-why = Warum
bulk-why-rights = die zuständige Person zu einem anderen Team gehört
bulk-why-gone = nicht da, oder nicht für Sie sichtbar
bulk-why-erased = gelöscht wurde
bulk-why-mute = nicht kontaktiert werden darf
bulk-why-receiver = die Person keine Kontakte bekommen darf
bulk-why-changed = jemand es seither geändert hat
bulk-why-nothing = es nichts zurückzunehmen gibt
bulk-why-failed = es nicht geschrieben werden konnte
bulk-erased = { $n ->
        [one] { $n } Kontakt wurde
       *[other] { $n } Kontakte wurden
    } inzwischen gelöscht.
bulk-do = { $n ->
        [one] { $n } Kontakt
       *[other] { $n } Kontakte
    } ändern
bulk-can-undo = Alles lässt sich danach 90 Tage lang zurücknehmen.
bulk-nothing = Es gibt nichts zu ändern.
bulk-listing = Die Liste wurde nicht zu Ende geschrieben. Wählen Sie die Kontakte noch einmal aus.
bulk-back = Zurück zur Liste
bulk-doing = { $n } von { $all } erledigt.
bulk-undoing = { $n } von { $all } zurückgenommen.
bulk-cut-off = Nach { $n } von { $all } abgebrochen. Was getan ist, bleibt; machen Sie mit dem Rest weiter.
bulk-progress = Fortschritt
bulk-look-again = Noch einmal nachsehen
bulk-may-leave = Sie können diese Seite verlassen; es geht weiter.
bulk-go-on = Mit { $n ->
        [one] { $n } Kontakt
       *[other] { $n } Kontakten
    } weitermachen
bulk-done = { $n ->
        [one] { $n } Kontakt wurde
       *[other] { $n } Kontakte wurden
    } geändert.
bulk-was-same = { $n ->
        [one] { $n } war
       *[other] { $n } waren
    } schon so.
bulk-undone = { $n ->
        [one] { $n } Kontakt ist
       *[other] { $n } Kontakte sind
    } wie zuvor.
bulk-left = { $n ->
        [one] { $n } Kontakt wurde
       *[other] { $n } Kontakte wurden
    } so gelassen.
bulk-left-title = So gelassen
bulk-by = { $who }, { $time }
bulk-undo = { $n ->
        [one] { $n } Änderung
       *[other] { $n } Änderungen
    } zurücknehmen
bulk-undo-hint = Was jemand seither geändert hat, bleibt, wie es ist, und wird genannt. Zurücknehmen geht 90 Tage lang.
bulk-too-old = Es ist älter als 90 Tage und lässt sich nicht mehr zurücknehmen.
bulk-unseen = nicht für Sie sichtbar
bulk-not-yours = Nur wer es begonnen hat, kann damit weitermachen.
bulk-none = Noch nichts wurde gesammelt geändert
bulk-none-text = Wählen Sie Kontakte in der Liste aus und was mit ihnen geschehen soll.
bulk-who = Wer
bulk-stage-done = erledigt
bulk-stage-undone = zurückgenommen
bulk-stage-open = im Gange
bulk-choose = { $name } auswählen
bulk-choose-all = Alle auf dieser Seite auswählen
