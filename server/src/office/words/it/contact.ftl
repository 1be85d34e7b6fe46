# A contact.
contact-identity = Identità
contact-reach = Recapiti
contact-standing = Posizione
contact-plan = Piano
contact-business = Affari
contact-personal = Personale
contact-rights = Diritti
contact-do-not = non contattare
contact-archived = archiviato
n-conflicts = { $n ->
        [one] { $n } conflitto
       *[other] { $n } conflitti
    }
contact-owner = titolare { $name }
contact-no-owner = nessun titolare
contact-no-owner-choice = Nessun titolare
contact-merged = ultima modifica unita { $time }
contact-hide-who = Nascondi chi ha scritto che cosa
contact-who = Chi ha scritto che cosa
contact-both-sides = Entrambe le parti hanno scritto senza vedersi. Nulla va perso finché sceglie, né dopo: la cronologia lo conserva.
contact-empty-fields = { $n ->
        [one] { $n } campo vuoto
       *[other] { $n } campi vuoti
    }
tags = Etichette
contact-remove-tag = Rimuovi l’etichetta { $tag }
contact-new-tag = Nuova etichetta
contact-add-tag = Aggiungi un’etichetta
contact-expected = prevista { $date }
contact-due = scade { $date }
contact-consent-for = { $state } per { $purpose }
contact-systems = In altri sistemi
contact-log = Registra un’interazione
contact-log-hint = Che cosa si è detto, che cosa viene dopo
contact-log-it = Registra
contact-log-now = Senza orario vale adesso.
contact-note-hint = Che cosa dovrebbe sapere chi incontra questo contatto
contact-save-note = Salva la nota
contact-add-phone = telefono
contact-add-email = e-mail
contact-add-address = indirizzo
contact-add-messenger = messenger
contact-add-deal = trattativa
contact-add-purchase = acquisto
contact-add-task = attività
contact-add-consent = consenso

# Editing a contact.
edit-not-all = Non tutto è stato scritto: { $reasons }.
edit-changed = Qualcuno l’ha cambiato in { $now } mentre Lei scriveva. Salvi di nuovo per sovrascriverlo.
edit-nothing = nulla
edit-quoted = «{ $text }»
edit-no-list = Il modulo non indica un elenco del contatto. Ricarichi la pagina.
edit-fill-in = Compili almeno un campo.
edit-removed = Nel frattempo qualcuno l’ha rimosso. Lo aggiunga di nuovo se deve esserci.
edit-deal-moved = Qualcuno ha spostato la trattativa in «{ $stage }» mentre Lei guardava. La sposti di nuovo se vuole ancora.
edit-currency = Un importo richiede la valuta, per esempio EUR.
edit-time = L’orario non è leggibile; lo scriva come 2026-05-31T14:30.
edit-tag-first = Scriva prima l’etichetta.
edit-line = Dica in una riga di che cosa si trattava.
edit-note-long = La nota avrebbe { $n } byte, ne sono ammessi { $max }; la accorci.
edit-note-old = La pagina è troppo vecchia per capire che cosa ha cambiato. Copi il testo, ricarichi la pagina e lo riscriva.
edit-decided = Qualcuno l’ha già deciso. Ricarichi la pagina per vedere come.
edit-side-gone = Questo valore non c’è più. Ricarichi la pagina.
edit-name-or-reach = Indichi un nome, un’azienda o un recapito.

# The list.
contacts-silent-never = mai contattato
contacts-search = Cerca
contacts-search-hint = Nomi, aziende, telefoni, note
contacts-order = Ordine
contacts-find = Trova
contacts-all-names = Tutti i nomi
contacts-try = Provi { $a }, { $b }, { $c } o { $d }.
contacts-more-than = più di { $n } contatti
contacts-city = Città
contacts-latest = Ultimo contatto
contacts-latest-change = Ultima modifica
contacts-longest = Da più tempo senza contatti
contacts-next-visit = Prossima visita
contacts-next-task = Prossima attività
contacts-next = Prossimo
contacts-none-fit-text = Nessun contatto ha tutto questo. Cerchi meno parole, o { $link }.
contacts-see-all = li veda tutti
contacts-none = Ancora nessun contatto
contacts-none-text = Importi un file con { $command }, o inserisca il primo con «Nuovo contatto».
contacts-of = { $part } su { $all }
contacts-cut = ; si mostrano i migliori dei primi { $n }, scriva di più per restringere
contacts-new = Nuovo contatto
contacts-create = Crea
contacts-no-owner-yet = Non ha titolare finché non viene assegnato.
contacts-phone = Telefono
contacts-email = E-mail
contacts-name = Nome
contacts-company = Azienda
status = Stato
