# Segments.
segments-ready = Pronti
segments-saved = Salvati
segments-saved-none = Costruisca un segmento e lo salvi con un nome.
segments-yours-shared = Suo, condiviso
segments-yours = Suo
segments-shared = condiviso
segments-remove-confirm = Rimuovere il segmento { $name }? I contatti restano.
segments-remove-label = Rimuovi il segmento { $name }
segments-build = Costruire un segmento
segments-others = Che cosa è successo, dove, di chi
segments-fields = Campi del contatto
segments-how = Come
segments-value = Valore
segments-join = Vale
segments-and = anche
segments-or = oppure al posto dell’ultima
segments-add = Aggiungi condizione
segments-by-hand = Come filtro; i campi propri sono custom.NOME
segments-all = Tutti i contatti. Scelga un segmento o aggiunga condizioni: devono valere tutte.
segments-take-out = Togli { $condition }
segments-take-out-filter = Togli il filtro
segments-clear = Svuota
segments-count = { $n ->
        [one] { $n } contatto
       *[other] { $n } contatti
    } in questo segmento
segments-everybody-sees = Lo vedono tutti in ufficio
segments-to = A
segments-see-move = Vedi che cosa si sposterebbe
segments-whom = Chi
segments-everybody = tutti
segments-consent-email = con consenso per l’e-mail
segments-consent-phone = con consenso per il telefono
segments-consent-post = con consenso per la posta
segments-consent-sms = con consenso per gli SMS
segments-export-csv = Esporta come CSV
segments-in-audit = Ogni esportazione è nel registro.
segments-mails = Con un canale si escludono chi non ha dato il consenso e chi non va contattato.
segments-whole-base = Solo chi vede l’intera base può esportare.
segments-assign-title = Assegna un segmento
segments-went = { $n ->
        [one] { $n } contatto passato
       *[other] { $n } contatti passati
    } a { $whom }; { $unchanged ->
        [one] { $unchanged } era già suo
       *[other] { $unchanged } erano già suoi
    }.
segments-would-go = { $n ->
        [one] { $n } contatto passerebbe
       *[other] { $n } contatti passerebbero
    } a { $whom }; { $unchanged ->
        [one] { $unchanged } è già suo
       *[other] { $unchanged } sono già suoi
    }.
segments-back = Torna al segmento
segments-assign-hint = I contatti lasciano i dispositivi dei titolari attuali alla prossima connessione e arrivano a quelli del nuovo.
segments-assign-n = Assegna { $n ->
        [one] { $n } contatto
       *[other] { $n } contatti
    }
lists-hand = Consegna come elenco
lists-name = Nome dell’elenco
lists-to = A chi
lists-each-owner = Tutti i titolari di un contatto del segmento
lists-see = Vedi chi riceve che cosa
lists-title = Consegna un segmento come elenco
lists-would-go = L’elenco “{ $name }” comparirebbe sui dispositivi di queste persone. Ognuna riceve i contatti che ha.
lists-replaces = Prende il posto dell’elenco che ora ha questo nome.
lists-empty = Nessuna di queste persone ha un contatto del segmento. Assegna prima i contatti.
lists-nobody = { $n ->
        [one] { $n } contatto non è
       *[other] { $n } contatti non sono
    } di nessuna di queste persone: resta fuori dall’elenco.
lists-hint = L’elenco conserva ciò che il segmento trova adesso. I contatti che cambiano titolare o vengono cancellati ne escono da soli; altri entrano quando viene consegnato di nuovo.
lists-hand-n = Consegna a { $n ->
        [one] { $n } persona
       *[other] { $n } persone
    }
lists-went = L’elenco “{ $name }” è consegnato. I dispositivi connessi lo hanno già, gli altri alla prossima connessione.
lists-handed = Consegnati
lists-none = Nessun elenco è stato consegnato.
lists-to-whom = a { $to }
lists-by = da { $by }, { $time }
lists-back = Ritira
lists-back-label = Ritira l’elenco { $name }
lists-back-confirm = Ritirare l’elenco { $name }? Scompare dai dispositivi; i contatti restano.
lists-no-name = Dai all’elenco un nome di al massimo 80 caratteri, con lettere o cifre.
lists-nobody-chosen = Scegli a chi va l’elenco.
assign = Assegna
segments-no-name = Dia al segmento un nome di al massimo 80 lettere.
segments-no-field = Non c’è un campo «{ $field }» da scegliere.
segments-no-value = Scriva con che cosa confrontare.
segments-one-word = «contiene» accetta una parola.
segments-no-days = Scriva un numero di giorni.
segments-no-how = Scelga come confrontare.
seg-group-bases = Basi
seg-group-care = Cura
seg-group-loyalty = Fedeltà
seg-potential = Potenziali
seg-potential-what = mai comprato
seg-new = Nuovi
seg-new-what = comprato una volta, entro un anno
seg-active = Attivi
seg-active-what = comprato di nuovo, entro un anno
seg-dormant = Dormienti
seg-dormant-what = comprato, poi silenzio per un anno
seg-key-accounts = Clienti chiave
seg-key-accounts-what = classe A, o segnati così
seg-no-contact-for-60-days = Nessun contatto da 60 giorni
seg-no-contact-for-60-days-what = clienti
seg-beyond-their-cadence = Oltre la cadenza
seg-beyond-their-cadence-what = contatto in ritardo
seg-truly-loyal = Davvero fedeli
seg-truly-loyal-what = contenti, e comprano
seg-accessible = Raggiungibili
seg-accessible-what = contenti, ma non comprano
seg-trapped = Vincolati
seg-trapped-what = scontenti, ma comprano
seg-high-risk = Alto rischio
seg-high-risk-what = né l’uno né l’altro
by-tag = Etichetta
by-city = Città
by-postal-code = CAP
by-region = Regione
by-country = Paese
by-owner = Titolare (nome utente)
by-contacted = Ultimo contatto
by-touched = Ultima modifica
by-visits = Visite
by-calls = Chiamate
by-interactions = Interazioni
by-complaints = Reclami
by-bought = Ultimo acquisto
by-purchases = Acquisti
by-revenue = Ricavi
by-deal = Trattative aperte
by-stage = Fase di una trattativa
by-tasks = Attività aperte
by-consent = Consenso per canale
by-recency = Classe di recenza
by-frequency = Classe di frequenza
by-monetary = Classe di valore
by-abc = Classe ABC
by-nps = Ultima risposta (NPS)
op-is = è
op-not = non è
op-contains = contiene
op-min = è almeno
op-max = è al massimo
op-older = è da più di (giorni)
op-within = è negli ultimi (giorni)
op-there = c’è
op-missing = non c’è
segments-from = Da
