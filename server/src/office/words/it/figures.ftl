# Whose figures, of which time.
everybody = Tutti
team-name = Squadra { $name }
of-whom = Di
period = Periodo
n-days = { $n ->
        [one] { $n } giorno
       *[other] { $n } giorni
    }
n-months = { $n ->
        [one] { $n } mese
       *[other] { $n } mesi
    }
n-years = { $n ->
        [one] { $n } anno
       *[other] { $n } anni
    }
month-year = { $month } { $year }
figures-label = Cifre
as-a-table = Come tabella
figures-as-a-table = Le cifre come tabella

# Activity.
visits = Visite
calls = Chiamate
activity-calls-others = { $calls ->
        [one] { $calls } chiamata
       *[other] { $calls } chiamate
    }, { $others } altre, in { $period }
activity-hit-rate = Tasso di successo
activity-hit-rule = visite con un acquisto o una trattativa vinta entro { $n } giorni
activity-tasks-done = Attività svolte
activity-of-due = { $done } di { $n } in scadenza in { $period }
activity-neglected = Trascurati
activity-of-cadence = di { $n } con una cadenza di contatto
nobody-yet = Ancora nessuno
activity-add-reps = Aggiunga agenti con { $command }.
activity-caption = Che cosa ha fatto ciascuno
activity-other = Altre
new-contacts = Nuovi contatti
activity-overdue = Visite in ritardo
activity-narrow = { $new } nuovi · { $done } di { $tasks } attività · { $neglected } trascurati
of-n = di { $n }
visits-and-calls = Visite e chiamate
activity-by-week = per settimana, giorni UTC
activity-by-day = per giorno, giorni UTC
activity-none = Nulla in questo periodo
activity-none-text = Gli agenti registrano visite e chiamate sui loro dispositivi, l'ufficio sulla pagina del contatto.
activity-bar = { $day }: { $visits ->
        [one] { $visits } visita
       *[other] { $visits } visite
    }, { $calls ->
        [one] { $calls } chiamata
       *[other] { $calls } chiamate
    }
week-from = Settimana dal
day = Giorno

# The funnel.
funnel-none = Ancora nessuna trattativa
funnel-none-text = Gli agenti aggiungono trattative sui dispositivi, l’ufficio sulla pagina di un contatto. Qui stanno per fase.
funnel-board = Lavagna
funnel-drag = Trascini una trattativa in un’altra fase, o apra «Sposta».
funnel-by-stage = Trattative per fase
no-amount = nessun importo
funnel-open = Trattative aperte
funnel-expected = Atteso
funnel-expected-rule = importo per probabilità
funnel-won = Vinte
funnel-in-period = in questo periodo
funnel-won-of-closed = Vinte sulle chiuse
funnel-n-lost = { $n ->
        [one] { $n } persa
       *[other] { $n } perse
    } in questo periodo
funnel-nothing = nulla qui
funnel-newest = Le { $shown } più recenti di { $n }.
funnel-here = qui da { $span }
funnel-close = chiusura { $date }
funnel-move = Sposta
funnel-move-hidden = { $title } di { $name }
funnel-to-stage = Alla fase
funnel-reason-if-lost = Motivo, se persa
funnel-through = Come procedono le trattative
funnel-begun = iniziate in { $period }
funnel-none-began = Nessuna trattativa iniziata
choose-longer = Scelga un periodo più lungo.
funnel-conversion-label = Conversione e durata per fase
stage = Fase
funnel-reached = Raggiunta
funnel-of-all = Sul totale
funnel-go-on = Proseguono
funnel-stay = Permanenza, mediana
funnel-deals-lost = { $deals ->
        [one] { $deals } trattativa
       *[other] { $deals } trattative
    }, { $lost } perse.
funnel-half-won = Metà di quelle vinte ha richiesto fino a { $span }.
funnel-no-day = nessun giorno indicato
funnel-outlook = Ricavi attesi
funnel-by-close = per chiusura prevista
funnel-nothing-open = Nulla è aperto
funnel-nothing-open-text = Le trattative aperte con un importo stanno qui per mese.
funnel-by-month-label = Ricavi attesi per mese
month = Mese
funnel-expected-note = Importo per la probabilità indicata dall’agente; senza, quella della fase: { $stages }.
funnel-why-lost = Perché le trattative sono state perse
funnel-none-lost = Nulla è andato perso
funnel-none-lost-text = In questo periodo nessuna trattativa è andata persa.
funnel-no-reason = Nessun motivo indicato
deals = Trattative

# Value.
value-no-day = “{ $text }” non è un giorno; lo scriva come 2026-03-31.
value-no-limits = “{ $text }” non sono limiti per { $name }; scriva quattro numeri dal piccolo al grande, come 30, 90, 180, 365.
value-name-recency = recenza
value-name-frequency = frequenza
value-name-monetary = valore
value-none = Non è stato ancora comprato nulla
value-none-text = Gli acquisti arrivano con { $command } o si inseriscono sulla pagina di un contatto.
value-incomplete = { $n ->
        [one] { $n } acquisto non ha
       *[other] { $n } acquisti non hanno
    } data o importo e { $n ->
        [one] non è
       *[other] non sono
    } in nessuna cifra.
as-of-label = Al
value-currency = Valuta
value-purchases-of = Acquisti di
value-all-time = sempre
value-classes-by = Classi per
value-quintiles = quintili
value-limits = limiti scelti
value-limit-recency = Giorni dall’ultimo, classe da 5 a 2
value-limit-frequency = Acquisti, classe da 2 a 5
value-limit-monetary = Ricavi, classe da 2 a 5
value-totals-label = Totali per valuta
value-revenue-in = Ricavi in { $currency }
value-total-of = { $purchases ->
        [one] { $purchases } acquisto
       *[other] { $purchases } acquisti
    } di { $customers ->
        [one] { $customers } cliente
       *[other] { $customers } clienti
    } fino al { $date }
n-customers = { $n ->
        [one] { $n } cliente
       *[other] { $n } clienti
    }
value-rf = Recenza e frequenza
value-customers-in = clienti, { $currency }
value-rf-note = R 5 ha comprato per ultimo, F 5 più spesso. Ogni classe è un quinto dei clienti; clienti uguali stanno nella stessa classe.
value-rf-note-limits = R 5 ha comprato per ultimo, F 5 più spesso, secondo i limiti sopra; clienti uguali stanno nella stessa classe.
value-rf-label = Clienti per recenza e frequenza
value-recency = Recenza
value-cell = { $customers } con recenza { $r } e frequenza { $f }: { $amount }
class = Classe
customers = Clienti
revenue = Ricavi
value-each = Ciascuno
value-mean-m = M media
value-moved = Chi si è mosso
value-moved-against = rispetto a 3 mesi prima
value-moves-label = Passaggi tra gruppi
value-group = Gruppo
value-now = Ora
value-came = Arrivati
value-first = Primi
value-left = Usciti
value-moves-note = Arrivati da un altro gruppo, al primo acquisto, passati a un altro gruppo.
value-no-customer = non cliente
value-from-to = Da, a
value-abc = Chi fa i ricavi
value-no-revenue = Nessun ricavo
value-no-revenue-text = In questo periodo non si è guadagnato nulla.
value-curve-label = Quota dei ricavi che portano i clienti maggiori
value-curve-note = In orizzontale: i clienti, dai maggiori. In verticale: la loro quota dei ricavi.
value-abc-label = Classi ABC
share = Quota
value-a = primo 80 %
value-b = successivo 15 %
value-c = ultimo 5 %
value-seasons = Mesi e stagioni
value-months-label = Ricavi di ciascuno degli ultimi 24 mesi
purchases = Acquisti
value-season = Stagione: 100 è un mese medio
value-season-label = Indice di ogni mese su anni interi
value-index = Indice
value-season-none = Le stagioni compaiono quando c’è un anno intero di acquisti.
value-silent = Silenziosi, da riattivare
value-choose-all = Scelga «sempre»
value-choose-all-text = Il silenzio si valuta su tutti gli acquisti del cliente.
value-silent-none = Nessuno è diventato silenzioso
value-silent-none-text = Tutti hanno comprato entro il doppio del loro tempo abituale.
value-silent-caption = Clienti silenziosi, dai maggiori
customer = Cliente
owner = Titolare
value-silent-for = In silenzio da
value-usual = Abituale
nobody = nessuno
value-every = ogni { $span }
value-once = una volta
value-silent-note = In silenzio da più del doppio del tempo abituale tra gli acquisti e da più di { $days } giorni; chi ha comprato una volta, da più di { $once }.
value-nps = Ci consiglierebbero
value-nps-what = Net Promoter Score, 12 mesi
value-nps-none = Ancora nessuna risposta
value-nps-none-text = Gli agenti registrano un sondaggio con la risposta da 0 a 10 sui dispositivi, l’ufficio sulla pagina di un contatto.
value-nps-answers = { $n ->
        [one] { $n } risposta
       *[other] { $n } risposte
    }: { $promoters } promotori (9–10), { $passives } passivi (7–8), { $detractors } detrattori (0–6)
value-nps-no-answer = nessuna risposta
value-nps-label = Punteggio di ogni mese
value-score = Punteggio
value-no-comment = Nessuno ha commentato la risposta.
group-champions = Campioni
group-loyal = Fedeli
group-promising = Promettenti
group-new = Nuovi
group-need-attention = Da seguire
group-fading = In calo
group-at-risk = A rischio
group-dormant = Dormienti
