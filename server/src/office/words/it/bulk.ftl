# One thing done to many contacts.
bulk-title = Modifica in blocco
bulk-picked = Scelti: { $n }
bulk-all = { $n ->
        [one] Il { $n } contatto
       *[other] Tutti i { $n } contatti
    } di questo elenco
bulk-all-more = Tutti i contatti di questo elenco, più di { $n }
bulk-or-pick = Oppure scelga i contatti nell'elenco.
bulk-what = Che cosa fare
bulk-assign = Assegnare a qualcuno
bulk-tag = Aggiungere un'etichetta
bulk-untag = Togliere un'etichetta
bulk-status = Impostare lo stato
bulk-the-tag = Etichetta
bulk-no-status-choice = nessuno stato
bulk-spare = Escludere chi non va contattato
bulk-see = Mostrare che cosa cambierebbe
bulk-earlier = Modifiche in blocco
bulk-title-assign = Assegnare a { $name }
bulk-title-unassign = Togliere ai titolari
bulk-title-tag = Aggiungere l'etichetta «{ $tag }»
bulk-title-untag = Togliere l'etichetta «{ $tag }»
bulk-title-retag = Rinominare l'etichetta «{ $tag }» in «{ $to }»
bulk-title-status = Impostare lo stato su { $status }
bulk-title-no-status = Togliere lo stato
bulk-no-status = Scelga uno degli stati.
bulk-no-what = Scelga che cosa fare.
bulk-none-chosen = Scelga dei contatti nell'elenco, oppure tutti quelli trovati.
bulk-too-many = Sono più di { $n } contatti. Restringa il filtro e proceda per parti.
bulk-would = cambierebbero
bulk-same = sono già così
bulk-refused = restano esclusi
bulk-means = Che cosa significa
bulk-means-assign = Ogni contatto viene ceduto: arriva sui dispositivi del nuovo titolare e lascia quelli del titolare attuale alla loro prossima connessione. Ciò che vi è stato modificato e non inviato attende una decisione.
bulk-means-tag = È una modifica come le altre, a Suo nome: sta nella cronologia di ogni contatto e arriva sui dispositivi alla loro prossima connessione.
bulk-means-status = È una modifica come le altre, a Suo nome: sta nella cronologia di ogni contatto e arriva sui dispositivi alla loro prossima connessione. Se qualcuno imposta un altro stato nello stesso momento, Le viene chiesto.
bulk-refused-why = Escluso, perché
bulk-left-why = Lasciato com'è, perché
bulk-why = Perché
bulk-why-rights = il titolare è di un'altra squadra
bulk-why-gone = non c'è, o non è visibile per Lei
bulk-why-erased = è stato cancellato
bulk-why-mute = non va contattato
bulk-why-receiver = la persona non può ricevere contatti
bulk-why-changed = qualcuno l'ha modificato nel frattempo
bulk-why-nothing = non c'è nulla da annullare
bulk-why-failed = non è stato possibile scriverlo
bulk-erased = { $n ->
        [one] { $n } contatto è stato cancellato
       *[other] { $n } contatti sono stati cancellati
    } nel frattempo.
bulk-do = Modificare { $n ->
        [one] { $n } contatto
       *[other] { $n } contatti
    }
bulk-can-undo = Tutto si può annullare in seguito, per 90 giorni.
bulk-nothing = Non c'è nulla da modificare.
bulk-listing = L'elenco non è stato scritto fino in fondo. Scelga di nuovo i contatti.
bulk-back = Torna all'elenco
bulk-doing = { $n } di { $all } fatti.
bulk-undoing = { $n } di { $all } annullati.
bulk-cut-off = Interrotto dopo { $n } di { $all }. Ciò che è fatto resta; continui con il resto.
bulk-progress = Avanzamento
bulk-look-again = Guarda di nuovo
bulk-may-leave = Può lasciare questa pagina; si continua.
bulk-go-on = Continuare con { $n ->
        [one] { $n } contatto
       *[other] { $n } contatti
    }
bulk-done = { $n ->
        [one] { $n } contatto è stato modificato
       *[other] { $n } contatti sono stati modificati
    }.
bulk-was-same = { $n ->
        [one] { $n } era
       *[other] { $n } erano
    } già così.
bulk-undone = { $n ->
        [one] { $n } contatto è
       *[other] { $n } contatti sono
    } come prima.
bulk-left = { $n ->
        [one] { $n } contatto è stato lasciato com'è
       *[other] { $n } contatti sono stati lasciati come sono
    }.
bulk-left-title = Lasciati come sono
bulk-by = { $who }, { $time }
bulk-undo = Annullare { $n ->
        [one] { $n } modifica
       *[other] { $n } modifiche
    }
bulk-undo-hint = Ciò che qualcuno ha modificato nel frattempo resta com'è, e viene indicato. Un'azione si può annullare per 90 giorni.
bulk-too-old = Ha più di 90 giorni e non si può più annullare.
bulk-unseen = non visibile per Lei
bulk-not-yours = Solo chi l'ha iniziata può continuarla.
bulk-none = Ancora nessuna modifica in blocco
bulk-none-text = Scelga dei contatti nell'elenco e che cosa farne.
bulk-who = Chi
bulk-stage-done = fatto
bulk-stage-undone = annullato
bulk-stage-open = in corso
bulk-choose = Scegliere { $name }
bulk-choose-all = Scegliere tutti in questa pagina
