# Today.
today-behind = отстают: { $n ->
        [one] { $n } устройство
        [few] { $n } устройства
       *[many] { $n } устройств
    }
search-contacts = Поиск контактов
search-hint = Искать имена, компании, телефоны, заметки
today-feed = С маршрутов
today-quiet = Пока тихо
today-quiet-text = Как только у устройства представителя появится сеть, его правки появятся здесь, объединённые и с именем.
today-fresh = Кто насколько свеж
today-all-devices = Все устройства
today-no-device = Устройств пока нет
today-invite = Пригласите представителя командой { $command }.
today-all-to-decide = Все решения: { $n }
today-changed = изменено за 24 ч: { $n }
today-contacted = Контакты за сутки
today-last-24 = за последние 24 ч
today-to-decide = Ждёт решения
today-conflicts = конфликты и отложенные правки
today-waiting = Правки ждут на устройствах
today-none-known = неизвестно ни одной
today-known-on = известно на { $n ->
        [one] { $n } устройстве
        [few] { $n } устройствах
       *[many] { $n } устройствах
    }

# The feed.
feed-sent = { $person }: { $edits ->
        [one] { $edits } правка
        [few] { $edits } правки
       *[many] { $edits } правок
    }, { $contacts ->
        [one] { $contacts } контакт
        [few] { $contacts } контакта
       *[many] { $contacts } контактов
    }
feed-merged = объединено: { $n }
feed-aside = отложено: { $n }
feed-newest = Из последних { $n }: { $what }
feed-n-visits = { $n ->
        [one] { $n } визит
        [few] { $n } визита
       *[other] { $n } визитов
    }
feed-n-new = { $n ->
        [one] { $n } новый контакт
        [few] { $n } новых контакта
       *[other] { $n } новых контактов
    }
feed-n-moved = { $n ->
        [one] { $n } сделка на новом этапе
        [few] { $n } сделки на новом этапе
       *[other] { $n } сделок на новом этапе
    }
feed-n-others = { $n ->
        [one] { $n } звонок или сообщение
        [few] { $n } звонка и сообщения
       *[other] { $n } звонков и сообщений
    }
feed-a-contact = контакт
feed-removed = удалено
verb-create = Новый контакт: { $name }
verb-visit = Визит: { $name }
verb-call = Звонок: { $name }
verb-email = Письмо: { $name }
verb-message = Сообщение: { $name }
verb-meeting = Встреча: { $name }
verb-complaint = Жалоба: { $name }
verb-return = Возврат: { $name }
verb-survey = Опрос: { $name }
verb-note = Заметка: { $name }
verb-resolve = Конфликт решён: { $name }
verb-import = Импорт: { $name }
verb-edited = Изменено: { $name }
verb-moved = Сделка на новом этапе: { $name }
verb-other = { $what }: { $name }

# The history of a contact.
history-timeline = Хроника
history-n = { $n ->
        [one] { $n } взаимодействие
        [few] { $n } взаимодействия
       *[many] { $n } взаимодействий
    }
history-none = Здесь ещё никто не был
history-none-text = Визит или звонок, записанный представителем, появится здесь сразу после объединения.
history-newest = Показаны новейшие: { $n }.
history-changes = Что изменилось
history-no-change = Изменений пока нет.
history-claims = Время указано самими устройствами.
doing-edited = изменил(а)
doing-create = создал(а) контакт
doing-resolve = решил(а) конфликт
doing-note = писал(а) в заметке
doing-tags = изменил(а) метки
doing-remove = удалил(а)
doing-restore = восстановил(а)
doing-import = импортировал(а)
doing-logged = записал(а): { $what }
