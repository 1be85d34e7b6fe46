# Signing in.
sign-in = Anmelden
sign-in-workspace = Arbeitsbereich
sign-in-login = Anmeldename
sign-in-password = Passwort
sign-in-or = oder
sign-in-with = Mit { $name } anmelden
sign-in-first-time = Zum ersten Mal hier? { $link }.
sign-in-use-code = Benutzen Sie Ihren Einmalcode
sign-in-wrong = Anmeldename und Passwort passen nicht zusammen.
sign-in-rep = Diese Seiten sind für Leitung und Administration. Im Außendienst arbeiten Sie in der Roadbook-App: Bitten Sie Ihre Leitung um einen Anmeldecode und verbinden Sie damit Ihr Gerät.
sign-in-second-title = Zweiter Faktor
sign-in-one-more-step = Noch ein Schritt
sign-in-six-digits = Geben Sie die sechs Ziffern ein, die Ihre Authenticator-App jetzt zeigt, oder einen Ihrer Wiederherstellungscodes.
sign-in-code = Code
sign-in-neither = Beides nicht zur Hand? Die Administration kann Ihren zweiten Faktor ausschalten.
sign-in-took-too-long = Das hat zu lange gedauert, oder zu viele Codes haben nicht gepasst. Beginnen Sie von vorn.
sign-in-code-wrong = Dieser Code passt nicht. Codes wechseln jede halbe Minute, und jeder gilt einmal.
welcome = Willkommen
welcome-text = Ihr Einmalcode öffnet die Tür einmal. Wählen Sie das Passwort, das sie von da an öffnet.
welcome-code = Einmalcode
password-new = Neues Passwort
password-rule = { $n } Zeichen oder mehr; ein paar Wörter lassen sich leicht merken.
password-again = Noch einmal dasselbe
welcome-set = Passwort setzen und anmelden
welcome-have-one = Sie haben schon ein Passwort? { $link }.
password-differ = Die beiden Passwörter sind verschieden.
code-unknown = Dieser Code ist hier nicht bekannt (vertippt oder von einem anderen Server); bitten Sie die Administration um einen neuen.
password-short = Ein Passwort braucht mindestens { $n } Zeichen; ein paar Wörter lassen sich leicht merken.
password-long = Ein Passwort darf höchstens { $n } Bytes haben.
password-easy = Dieses Passwort ist zu leicht zu erraten; nehmen Sie eines, das nicht Ihr Anmeldename und nicht ein wiederholtes Zeichen ist.

# One's own account.
account-title = Ihr Konto
account-change-password = Passwort ändern
account-others-out = Andere Browser werden abgemeldet.
account-others = Andere Browser
account-others-text = Beendet alle Ihre Sitzungen außer dieser.
account-others-end = Anderswo abmelden
account-language = Sprache
account-language-browser = Wie der Browser es vorzieht
account-language-text = Dieser Seiten, in jedem Browser, in dem Sie sich anmelden.
save = Speichern
account-your-password = Ihr Passwort
account-recovery-codes = Wiederherstellungscodes
account-recovery-text = Jeder öffnet die Tür einmal, wenn Ihre App nicht zur Hand ist. Bewahren Sie sie dort auf, wo Ihr Telefon nicht ist. Sie werden nur jetzt gezeigt.
account-scan = Scannen Sie das Bild mit einer Authenticator-App und geben Sie dann die sechs Ziffern ein, die sie zeigt.
account-type-secret = Oder tippen Sie das in die App: { $secret }
account-six-digits = Sechs Ziffern
account-turn-on = Einschalten
account-factor-on = an
account-factor-since = { $chip } seit { $time }, noch { $n ->
        [one] { $n } Wiederherstellungscode
       *[other] { $n } Wiederherstellungscodes
    }
account-new-codes = Neue Wiederherstellungscodes
account-old-end = Die alten gelten dann nicht mehr.
account-off-confirm = Den zweiten Faktor ausschalten? Dann öffnet Ihr Passwort allein die Tür.
account-turn-off = Ausschalten
account-factor-why = Mit ihm öffnet Ihr Passwort allein nichts: Eine App auf Ihrem Telefon zeigt einen Code, der jede halbe Minute wechselt.
account-set-up = Einrichten
account-picture = Das Geheimnis als Bild für Ihre App
account-wrong-password = Das ist nicht Ihr Passwort.
account-factor-done = Der zweite Faktor ist an: Die nächste Anmeldung fragt danach.
account-digits-wrong = Das sind nicht die Ziffern von jetzt. Geht die Uhr Ihres Telefons richtig? Versuchen Sie die nächsten.

# The company's own way in.
oidc-unreachable = { $name } ist gerade nicht erreichbar. Melden Sie sich mit Ihrem Passwort an, oder versuchen Sie es in einigen Minuten wieder.
oidc-not-let-in = { $name } hat Sie nicht eingelassen: { $reason }.
oidc-not-believed = { $name } war nicht zu glauben: { $reason }. Beginnen Sie von vorn; bleibt es dabei, sagen Sie es der Administration, deren Protokoll mehr enthält.
oidc-too-long = Dieser Weg hat zu lange gedauert, wurde schon benutzt oder begann in einem anderen Browser. Beginnen Sie von vorn.
oidc-workspace = Dieser Server hat mehrere Arbeitsbereiche oder nicht den genannten; die Administration muss ihn in der Einstellung oidc_workspace nennen.
oidc-nobody = { $name } kennt Sie als „{ $who }“, und niemand mit diesem Anmeldenamen darf hier herein. Die Administration kann Sie hinzufügen oder Ihren Anmeldenamen ändern.
