# Numbers, days, spans.
months-short = gen feb mar apr mag giu lug ago set ott nov dic
date = { $day } { $month } { $year }
date-without-year = { $day } { $month }
date-time = { $date }, { $time }
time-utc = { $time } UTC
time-unknown = sconosciuto
span-under-a-minute = meno di un minuto
span-minutes = { $n } min
span-hours = { $n } h
span-days = { $n } gg
as-of = al { $time }
money = { $amount } { $currency }

# Counts of many pages.
n-contacts = { $n ->
        [one] { $n } contatto
       *[other] { $n } contatti
    }
n-devices = { $n ->
        [one] { $n } dispositivo
       *[other] { $n } dispositivi
    }
n-edits = { $n ->
        [one] { $n } modifica
       *[other] { $n } modifiche
    }
n-minutes = { $n ->
        [one] { $n } minuto
       *[other] { $n } minuti
    }

# The frame.
skip-to-content = Vai al contenuto
nav-main = Navigazione principale
nav-today = Oggi
nav-contacts = Contatti
nav-segments = Segmenti
nav-funnel = Pipeline
nav-activity = Attività
nav-value = Valore
nav-decide = Decidere
nav-people = Persone
nav-alerts = Avvisi
nav-settings = Impostazioni
n-to-decide-hidden = { $n ->
        [one] da decidere
       *[other] da decidere
    }
n-new-hidden = { $n ->
        [one] nuovo
       *[other] nuovi
    }
role-rep = agente
role-manager = responsabile
role-admin = amministratore
role-read-only = sola lettura
held-back = I dati dei clienti sono trattenuti.
held-back-why = Il server è stato ripristinato senza il suo registro. { $link }.
held-back-link = Vedi che cosa c’è da decidere
sign-out = Esci
not-live = non in diretta
receipt-quarantined = salvata sul dispositivo, conservata sul server, in quarantena
receipt-merged = salvata sul dispositivo, conservata sul server, unita
receipt-stored = salvata sul dispositivo, conservata sul server

# Texts of the script.
js-changed = Modificato da qualcun altro mentre Lei scriveva.
js-take-theirs = Scarta il mio, mostra l’altro
js-live = in diretta
js-not-live = non in diretta
js-reconnecting = si ricollega
js-saved = Salvato.
js-unreachable = Il server non è raggiungibile.
js-unsaved = Dal server non è arrivata risposta. Ciò che ha scritto è ancora qui; lo invii di nuovo, non avverrà due volte.
js-answered = Il server ha risposto { $status }.

# What went wrong.
error-not-allowed = Non consentito
error-not-here = Non è qui
error-not-taken = Non accettato
error-changed = Modificato nel frattempo
error-not-now = Non ora
error-enough = Basta per ora
error-slow-down = Più piano
error-failed = Non ha funzionato
error-no-such-page = In quest’area di lavoro non c’è una pagina simile. Forse è stata cancellata, o il collegamento è incompleto.
error-no-such = Non c’è in quest’area di lavoro ({ $what }). Forse è stato cancellato, o il collegamento è incompleto.
error-too-many = Troppi tentativi. Riprovi tra { $minutes }.
error-failed-text = Il server non è riuscito a farlo. Nulla è stato modificato. Riprovi; se il problema rimane, avvisi l’amministratore: il suo registro riporta la causa.
error-go-to-today = Vai a Oggi
error-number = Errore { $n }
what-page = pagina
what-thing = elemento
what-contact = contatto
what-device = dispositivo
what-person = persona
what-segment = segmento
what-proposal = proposta
what-alert = avviso
what-deal = trattativa
what-cell = cella
forbidden-role = Il Suo ruolo non lo permette. Un amministratore può farlo, o assegnarLe un altro ruolo.
forbidden-read-only = Il Suo ruolo permette di leggere, non di modificare. Un amministratore può assegnarLe un altro ruolo.
forbidden-review = Il server è stato ripristinato: un amministratore deve prima confermare chi può vedere che cosa. I Suoi dispositivi continuano ad accettare modifiche.
forbidden-session = Il modulo appartiene a un’altra sessione. Ricarichi la pagina e lo invii di nuovo.
forbidden-site = Questo modulo proviene da un altro sito. Apra la pagina qui e lo invii di nuovo.
form-unreadable = Non è stato possibile leggere il modulo: { $error }.
forbidden-beside = Lei lavora su questo contatto accanto a un titolare di un’altra squadra. Si rivolga al suo responsabile o a un amministratore.
