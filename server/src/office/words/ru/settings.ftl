settings-group-you = Вы
settings-group-people = Люди
settings-group-law = Закон и порядок
settings-account = Язык, пароль, второй фактор, другие браузеры.
settings-people = Кто здесь работает, на каких устройствах и насколько они свежие.
settings-retention = Через сколько времени без контакта данные стираются.
settings-erasures = Кто стёрт и какие устройства это подтвердили.
settings-audit = Кто что сделал и что записи не изменены.
people-title = Люди и устройства
retention-title = Сроки хранения
erasures-title = Стирания
audit-title = Журнал
settings-group-work = Как вы работаете
settings-group-programs = Другие программы
settings-team = Добавить людей, изменить роли и команды, подключить устройства.
settings-look = Название, цвет и логотип компании.
settings-stages = Насколько вероятна сделка на каждом этапе.
settings-keys = Что могут читать и писать другие программы.
settings-hooks = Кому сообщать о событиях.
what-webhook = вебхук

# People and teams.
team-title = Люди и команды
team-device-code = Этот код подключает одно устройство ({ $person }). Он показывается только сейчас и скоро истечёт.
team-sign-in-code = С этим кодом { $person } задаст пароль на /welcome. Он показывается только сейчас и скоро истечёт.
team-connect = Подключить устройство
team-let-in = Впустить снова
team-keep-out = Закрыть доступ
team-factor-off = Отключить второй фактор
team-factor-confirm = Отключить второй фактор ({ $person })? Тогда для входа хватит пароля.
team-none = Нет
team-add = Добавить человека
team-add-hint = Затем появится код для первого входа.
team-teams = Команды
team-teams-none = Команд пока нет: в офисе все видят всё.
team-part-of = часть: { $name }
n-people = { $n ->
        [one] { $n } человек
        [few] { $n } человека
       *[many] { $n } человек
    }
team-set = Новая команда или перемещаемая
team-within = Внутри

# The look.
look-title = Оформление
look-name = Как здесь называется компания
look-name-hint = Над меню и в заголовке окна.
look-colour = Цвет
look-colour-hint = Там, где его трудно читать, он станет темнее или светлее.
look-logo = Логотип
look-logo-hint = PNG, JPEG или WebP, не больше { $n } кБ.
look-logo-large = Картинка слишком велика: не больше { $n } кБ.
look-logo-kind = Это не картинка PNG, JPEG или WebP со стороной до 2048 пикселей.
look-logo-remove = Убрать логотип
look-usual = Как изначально
look-no-name = В названии не больше { $n } знаков, в одну строку.
look-no-colour = Укажите цвет как #rrggbb.

# Stages.
stages-title = Этапы сделки
stages-text = Если представитель не указал вероятность сделки, берётся вероятность её этапа. С ней считается ожидаемая выручка.
stages-usual = Обычные
stages-no-number = Укажите для «{ $stage }» целое число от 0 до 100.

# Keys of programs.
keys-title = Ключи API
keys-made = Это ключ «{ $name }». Храните его там, где его читает только программа: больше он не покажется.
keys-none = Ключей пока нет
keys-none-text = Он нужен программе, которая читает или пишет через HTTP API: ERP, магазину, скрипту.
keys-rights-of = С правами
keys-scopes = Для чего
keys-last-used = Использован
keys-rate = { $n } в минуту
keys-rate-label = Запросов в минуту
keys-revoked = отозван
keys-revoke-confirm = Отозвать ключ { $name }? Больше он ничего не откроет.
keys-new = Новый ключ
keys-make = Создать ключ
keys-hint = Ключ никогда не может больше, чем его человек.
keys-no-scope = Укажите, для чего ключ: отметьте хотя бы одно.
keys-no-rate = Укажите число запросов в минуту целым числом от 1 до 60000.

# Webhooks.
hooks-title = Вебхуки
hooks-made = Теперь события идут на { $url }. Это секрет их подписей; больше он не покажется.
hooks-none = Вебхуков пока нет
hooks-none-text = Вебхук сообщает другой программе о событии в тот же миг.
hooks-address = Адрес
hooks-events = События
hooks-event = Событие
hooks-given-up = Не доставлено
hooks-n-given-up = { $n ->
        [one] { $n } событие не доставлено
        [few] { $n } события не доставлены
       *[many] { $n } событий не доставлено
    }
hooks-failing = { $n ->
        [one] { $n } попытка не удалась
        [few] { $n } попытки не удались
       *[many] { $n } попыток не удалось
    }
hooks-again-in = снова через { $span }
hooks-fine = доставляет
hooks-last = последнее { $time }
hooks-nothing-yet = пока ничего
hooks-since = с { $time }
hooks-remove-confirm = Больше ничего не отправлять на { $url }? Недоставленное тоже удалится.
hooks-new = Новый вебхук
hooks-reach-of = Видит то же, что
hooks-hint = Подписываются, повторяются с растущими паузами, при неудаче остаются в списке.
hooks-no-event = Отметьте хотя бы одно событие.
hooks-dead-none = Всё доставлено
hooks-dead-none-text = Здесь то, что не доставлено после всех попыток. { $link }
hooks-retry-all = Отправить всё снова
hooks-retry = Отправить снова
