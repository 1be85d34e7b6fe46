# Today.
today-behind = { $n ->
        [one] { $n } dispositivo
       *[other] { $n } dispositivi
    } indietro
search-contacts = Cerca contatti
search-hint = Cerca nomi, aziende, telefoni, note
today-feed = Dal campo
today-quiet = Finora tutto tranquillo
today-quiet-text = Appena il dispositivo di un agente ha rete, le sue modifiche compaiono qui, unite e con il suo nome.
today-fresh = Chi è quanto aggiornato
today-all-devices = Tutti i dispositivi
today-no-device = Ancora nessun dispositivo
today-invite = Inviti un agente con { $command }.
today-all-to-decide = Tutti i { $n } da decidere
today-changed = { $n } modificati in 24 h
today-contacted = Contattati
today-last-24 = nelle ultime 24 h
today-to-decide = Da decidere
today-conflicts = conflitti e modifiche messe da parte
today-waiting = Modifiche in attesa sul campo
today-none-known = nessuna nota
today-known-on = note su { $n ->
        [one] { $n } dispositivo
       *[other] { $n } dispositivi
    }

# The feed.
feed-sent = { $person } ha inviato { $edits ->
        [one] { $edits } modifica
       *[other] { $edits } modifiche
    } su { $contacts ->
        [one] { $contacts } contatto
       *[other] { $contacts } contatti
    }
feed-merged = { $n } unite
feed-aside = { $n } messe da parte
feed-newest = Tra gli ultimi { $n }: { $what }
feed-n-visits = { $n ->
        [one] { $n } visita
       *[other] { $n } visite
    }
feed-n-new = { $n ->
        [one] { $n } nuovo contatto
       *[other] { $n } nuovi contatti
    }
feed-n-moved = { $n ->
        [one] { $n } trattativa spostata
       *[other] { $n } trattative spostate
    }
feed-n-others = { $n ->
        [one] { $n } chiamata o messaggio
       *[other] { $n } chiamate e messaggi
    }
feed-a-contact = un contatto
feed-removed = rimosso
verb-create = Nuovo contatto { $name }
verb-visit = Visita a { $name }
verb-call = Chiamata con { $name }
verb-email = E-mail a { $name }
verb-message = Messaggio a { $name }
verb-meeting = Riunione con { $name }
verb-complaint = Reclamo di { $name }
verb-return = Reso di { $name }
verb-survey = Sondaggio di { $name }
verb-note = Nota su { $name }
verb-resolve = Conflitto deciso per { $name }
verb-import = Importato { $name }
verb-edited = Modificato { $name }
verb-moved = Trattativa spostata presso { $name }
verb-other = { $what }: { $name }

# The history of a contact.
history-timeline = Cronologia
history-n = { $n ->
        [one] { $n } interazione
       *[other] { $n } interazioni
    }
history-none = Nessuno è ancora stato qui
history-none-text = Una visita o una chiamata registrata da un agente compare qui appena unita.
history-newest = Sono mostrate le { $n } più recenti.
history-changes = Che cosa è cambiato
history-no-change = Ancora nessuna modifica.
history-claims = Gli orari sono quelli dichiarati dai dispositivi.
doing-edited = ha modificato
doing-create = ha creato il contatto
doing-resolve = ha deciso un conflitto
doing-note = ha scritto nella nota
doing-tags = ha cambiato le etichette
doing-remove = ha rimosso
doing-restore = ha ripristinato
doing-import = ha importato
doing-logged = ha registrato: { $what }
