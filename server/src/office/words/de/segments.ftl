# Segments.
segments-ready = Fertige
segments-saved = Gespeicherte
segments-saved-none = Bauen Sie ein Segment und speichern Sie es unter einem Namen.
segments-yours-shared = Ihres, geteilt
segments-yours = Ihres
segments-shared = geteilt
segments-remove-confirm = Das Segment { $name } entfernen? Die Kontakte bleiben.
segments-remove-label = Das Segment { $name } entfernen
segments-build = Ein Segment bauen
segments-others = Was geschah, wo, wessen
segments-fields = Felder des Kontakts
segments-how = Wie
segments-value = Wert
segments-join = Gilt
segments-and = zusätzlich
segments-or = oder statt der letzten
segments-add = Bedingung hinzufügen
segments-by-hand = Als Filter; eigene Felder heißen custom.NAME
segments-all = Alle Kontakte. Wählen Sie ein Segment, oder fügen Sie Bedingungen hinzu: Alle müssen gelten.
segments-take-out = { $condition } herausnehmen
segments-take-out-filter = Den Filter herausnehmen
segments-clear = Leeren
segments-count = { $n ->
        [one] { $n } Kontakt
       *[other] { $n } Kontakte
    } in diesem Segment
segments-everybody-sees = Alle im Büro sehen es
segments-to = An
segments-see-move = Ansehen, was wechseln würde
segments-whom = Wen
segments-everybody = alle darin
segments-consent-email = mit Einwilligung für E-Mail
segments-consent-phone = mit Einwilligung für Telefon
segments-consent-post = mit Einwilligung für Post
segments-consent-sms = mit Einwilligung für SMS
segments-export-csv = Als CSV exportieren
segments-in-audit = Jeder Export steht im Protokoll.
segments-mails = Mit einem Kanal fehlt, wer nicht eingewilligt hat und wer nicht kontaktiert werden darf.
segments-whole-base = Nur wer die ganze Basis sieht, darf exportieren.
segments-assign-title = Ein Segment zuweisen
segments-went = { $n ->
        [one] { $n } Kontakt ging
       *[other] { $n } Kontakte gingen
    } an { $whom }; { $unchanged ->
        [one] { $unchanged } gehörte
       *[other] { $unchanged } gehörten
    } schon dazu.
segments-would-go = { $n ->
        [one] { $n } Kontakt ginge
       *[other] { $n } Kontakte gingen
    } an { $whom }; { $unchanged ->
        [one] { $unchanged } gehört
       *[other] { $unchanged } gehören
    } schon dazu.
segments-back = Zurück zum Segment
segments-assign-hint = Die Kontakte verlassen die Geräte der bisherigen Zuständigen bei deren nächster Verbindung und kommen auf die der neuen.
segments-assign-n = { $n ->
        [one] { $n } Kontakt
       *[other] { $n } Kontakte
    } zuweisen
lists-hand = Als Liste ausgeben
lists-name = Name der Liste
lists-to = An wen
lists-each-owner = Alle, die für einen Kontakt darin zuständig sind
lists-see = Ansehen, wer was bekommt
lists-title = Ein Segment als Liste ausgeben
lists-would-go = Die Liste „{ $name }“ würde auf den Geräten dieser Personen erscheinen. Jede bekommt die Kontakte, die sie hat.
lists-replaces = Sie tritt an die Stelle der Liste, die jetzt so heißt.
lists-empty = Niemand von ihnen hat einen Kontakt des Segments. Weisen Sie die Kontakte zuerst zu.
lists-nobody = { $n ->
        [one] { $n } Kontakt liegt
       *[other] { $n } Kontakte liegen
    } bei niemandem von ihnen und wird nicht in der Liste stehen.
lists-hint = Die Liste behält, was das Segment jetzt findet. Kontakte, die den Besitzer wechseln oder gelöscht werden, verlassen sie von selbst; andere kommen hinzu, wenn sie erneut ausgegeben wird.
lists-hand-n = An { $n ->
        [one] { $n } Person
       *[other] { $n } Personen
    } ausgeben
lists-went = Die Liste „{ $name }“ ist ausgegeben. Verbundene Geräte haben sie jetzt, die anderen bei der nächsten Verbindung.
lists-handed = Ausgegeben
lists-none = Es ist keine Liste ausgegeben.
lists-to-whom = an { $to }
lists-by = von { $by }, { $time }
lists-back = Zurücknehmen
lists-back-label = Die Liste { $name } zurücknehmen
lists-back-confirm = Die Liste { $name } zurücknehmen? Sie verschwindet von den Geräten; die Kontakte bleiben.
lists-no-name = Geben Sie der Liste einen Namen mit höchstens 80 Zeichen, darunter Buchstaben oder Ziffern.
lists-nobody-chosen = Wählen Sie, an wen die Liste geht.
assign = Zuweisen
segments-no-name = Geben Sie dem Segment einen Namen von höchstens 80 Zeichen.
segments-no-field = Das Feld „{ $field }“ gibt es nicht.
segments-no-value = Schreiben Sie, womit verglichen wird.
segments-one-word = „enthält“ nimmt ein Wort.
segments-no-days = Schreiben Sie eine Zahl von Tagen.
segments-no-how = Wählen Sie, wie verglichen wird.
seg-group-bases = Basis
seg-group-care = Pflege
seg-group-loyalty = Loyalität
seg-potential = Potenzielle
seg-potential-what = nie gekauft
seg-new = Neue
seg-new-what = einmal gekauft, innerhalb eines Jahres
seg-active = Aktive
seg-active-what = wieder gekauft, innerhalb eines Jahres
seg-dormant = Schlafende
seg-dormant-what = gekauft, dann ein Jahr still
seg-key-accounts = Schlüsselkunden
seg-key-accounts-what = Klasse A oder so markiert
seg-no-contact-for-60-days = 60 Tage ohne Kontakt
seg-no-contact-for-60-days-what = Kunden
seg-beyond-their-cadence = Über ihrem Rhythmus
seg-beyond-their-cadence-what = Kontakt ist überfällig
seg-truly-loyal = Wirklich treue
seg-truly-loyal-what = zufrieden und kaufend
seg-accessible = Erreichbare
seg-accessible-what = zufrieden, aber nicht kaufend
seg-trapped = Gebundene
seg-trapped-what = unzufrieden, aber kaufend
seg-high-risk = Hohes Risiko
seg-high-risk-what = weder noch
by-tag = Schlagwort
by-city = Ort
by-postal-code = Postleitzahl
by-region = Region
by-country = Land
by-owner = Zuständig (Anmeldename)
by-contacted = Letzter Kontakt
by-touched = Letzte Änderung
by-visits = Besuche
by-calls = Anrufe
by-interactions = Kontaktaufnahmen
by-complaints = Reklamationen
by-bought = Letzter Kauf
by-purchases = Käufe
by-revenue = Umsatz
by-deal = Offene Deals
by-stage = Phase eines Deals
by-tasks = Offene Aufgaben
by-consent = Einwilligung für Kanal
by-recency = Aktualitätsklasse
by-frequency = Häufigkeitsklasse
by-monetary = Umsatzklasse
by-abc = ABC-Klasse
by-nps = Letzte Antwort (NPS)
op-is = ist
op-not = ist nicht
op-contains = enthält
op-min = ist mindestens
op-max = ist höchstens
op-older = ist länger her als (Tage)
op-within = ist innerhalb der letzten (Tage)
op-there = ist vorhanden
op-missing = ist nicht vorhanden
segments-from = Von
