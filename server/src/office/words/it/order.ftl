# Alerts.
alerts-only-new = Solo i nuovi
alerts-all = Anche i visti
alerts-none = Nulla di insolito
alerts-none-text = Qui compare chi legge o esporta un numero insolito di contatti, o ne tocca uno messo come esca.
alerts-operator = L’operatore alla console
alert-number = Avviso { $n }
alert-seen-chip = visto
alert-planted = contatto esca
alert-volume = volume insolito
alert-called = Si chiama { $name }.
alert-times = { $n ->
        [one] { $n } volta
       *[other] { $n } volte
    } dal { $time }.
alert-held = Trattenuto fino al { $time }.
alert-device = Dispositivo: { $name }.
alert-revoke-confirm = Revocare il dispositivo { $device } di { $person }? Non riceverà altri dati e si svuoterà al prossimo contatto; le modifiche non inviate vengono consegnate.
alert-revoke = Revoca il dispositivo
alert-sign-out-confirm = Disconnettere { $person } da ogni browser?
alert-sign-out = Esci ovunque
alert-lift-confirm = Lasciar proseguire { $person }? Il conteggio ricomincia.
alert-lift = Lascia proseguire
alert-seen = Visto

# The audit log.
audit-no-day = “{ $text }” non è un giorno; lo scriva come 2026-05-31.
audit-verify = Verifica
audit-export-csv = Esporta CSV
audit-export-json = Esporta JSON
audit-what = Che cosa
audit-anybody = Chiunque
audit-operator = Operatore o server
audit-id = Id
audit-id-of = di un contatto, dispositivo o persona
audit-from = Dal
audit-to = Al
show = Mostra
nothing-fits = Nessun risultato
audit-nothing-text = Nessuna voce ha tutto questo. { $link }.
see-all = Vedi tutte
audit-caption = Registro, prima le voci più recenti
when = Quando
audit-subject = Su che cosa
audit-details = Dettagli
n-entries = { $n ->
        [one] { $n } voce
       *[other] { $n } voci
    }
newer = Più recenti
older = Meno recenti
audit-by-operator = operatore
audit-number = n. { $n }
audit-whole = Nulla è stato alterato né tolto: { $entries }. La più recente è la n. { $n }, { $hash }
audit-not-whole = Il registro non è integro.
audit-finding = N. { $n }: { $what }.
audit-gap = N. { $n }: a un avvio del { $time } mancavano le voci fino alla n. { $reached }: è stata ripristinata una copia più vecchia, o sono state tolte. { $command } lo accetta.

# Erasures.
erasures-none = Nessuno è stato ancora cancellato
erasures-none-text = { $command } cancella un contatto; qui compare chi lo ha confermato.
erasures-older = { $n ->
        [one] { $n } più vecchia
       *[other] { $n } più vecchie
    }: { $command }
erasure-of = Cancellazione di { $id }
erasure-all = confermata da tutti
erasure-open = { $n ->
        [one] { $n } dispositivo deve confermare
       *[other] { $n } dispositivi devono confermare
    }
erasure-files = file non ancora svuotati
erasure-replayed = ripetuta dal registro
erasure-by = { $id }, da { $who }
erasure-operator = l’operatore
erasure-no-device = Nessun dispositivo lo aveva.
state = Stato
erasure-mentions = Nominato in altri contatti
erasure-mentions-text = Apra ciascuno e tolga la persona, o lo lasci com’è. Ciò che è stato modificato resta nella cronologia del contatto.
erasure-confirmed = confermato
erasure-revoked = revocato
erasure-wiped-next = svuotato al prossimo contatto
erasure-not-yet = non ancora
span-ago = { $span } fa
erasure-taken-out = Tolta
erasure-leave = Lascia così
erasure-say = Dica se è stata tolta o lasciata com’è.

# Retention.
rules = Regole
retention-none = Nessuna regola
retention-none-text = Per esempio: lead persi, 24 mesi dopo l’ultimo contatto. Nulla si cancella da solo: una regola elenca chi riguarda e Lei conferma l’elenco.
retention-caption = Regole di conservazione
retention-rule = Regola
retention-months = Mesi
filter = Filtro
preview = Anteprima
retention-remove-confirm = Rimuovere la regola { $name }? Nessuno viene cancellato per questo.
name = Nome
retention-which = Quali contatti
retention-months-without = Mesi senza contatti
retention-set = Imposta regola
retention-due = { $n ->
        [one] { $n } contatto è in scadenza
       *[other] { $n } contatti sono in scadenza
    }
retention-nobody = Nessuno in scadenza
retention-nobody-text = Oggi la regola non riguarda nessuno.
retention-reached = Contatti che la regola riguarda
retention-last = Ultimo contatto o modifica
and-more = e altri { $n }
retention-erase-confirm = Cancellare per sempre { $n ->
        [one] questo { $n } contatto
       *[other] questi { $n } contatti
    }, qui e su ogni dispositivo?
retention-erase = Cancella questi { $n }
retention-whole-months = Indichi i mesi come numero intero.

# After a restore.
review-title = Dopo il ripristino
review-none = Nulla è trattenuto
review-none-text = Dispositivi e pagine ricevono ciò che le loro persone possono vedere.
review-held = I dati dei clienti sono trattenuti
review-why = Questo database esisteva già e il suo registro manca. Ciò che è accaduto dopo { $time } può mancare qui: cancellazioni, dispositivi revocati, contatti passati ad altri.
review-unknown-time = un momento sconosciuto
review-since = Dal { $time } i dispositivi consegnano le modifiche e non ricevono nulla; solo gli amministratori vedono queste pagine. Se esiste una copia del registro, fermi il server e la rimetta al suo posto: non ci sarà nulla da decidere.
review-devices = 1. Quali dispositivi sono stati persi o revocati da allora?
review-gets-data = riceve di nuovo dati
review-revoke-confirm = Revocare il dispositivo { $device }?
review-people = 2. Chi entra, e di chi sono i contatti?
contacts = Contatti
review-nobodys = Di nessuno
review-erased = 3. Che cosa è stato cancellato da allora?
review-again = Lo cancelli di nuovo: { $erase }. Persone: { $disable }, contatti: { $assign }.
review-confirm = Dispositivi, persone e assegnazioni sono giusti? I dati dei clienti tornano subito a uscire.
review-confirm-button = Conferma: invia di nuovo i dati dei clienti
