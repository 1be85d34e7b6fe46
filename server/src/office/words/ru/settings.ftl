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
settings-sorting = По алфавиту какого языка упорядочены списки
settings-stages = Насколько вероятна сделка на каждом этапе.
settings-custom = Свои поля рядом с теми, что есть у каждого контакта.
settings-tags = Переименовать метки, объединить две, убрать одну.
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

# By which language lists are sorted.
sorting-title = Сортировка
sorting-text = Списки офиса упорядочены по одному алфавиту для всех, кто их смотрит. На устройствах порядок общий.
sorting-language = Язык
sorting-general = Общий порядок
sorting-hint = Общий порядок подходит английскому, немецкому, французскому, итальянскому и большинству других языков, для любой письменности. В датском Æ, Ø и Å стоят после Z; в русском имена кириллицей стоят перед латинскими.
sorting-left = { $n ->
        [one] Остался { $n } контакт
        [few] Осталось { $n } контакта
       *[other] Осталось { $n } контактов
    }, которые ещё надо упорядочить. До тех пор в списках оба порядка.
sorting-unknown = Выберите один из языков.

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

# Tags.
tags-title = Метки
tags-text = Другое имя метки или имя уже существующей: тогда две станут одной. Это показывается заранее, стоит в истории каждого контакта и может быть отменено.
tags-more = Показаны только первые метки: { $n }.
tags-none = Меток ещё нет.
tags-none-text = Они приходят с импортом контактов, с изменениями в офисе и с устройств.
tags-alike = написана по-разному
tags-new-name = Новое имя метки { $tag }
tags-rename = Переименовать …
tags-remove = Убрать …
tags-in-parts = За один раз — контактов: { $n }; для остальных повторите.
tags-same = Она уже так называется; задайте другое имя.
tags-gone = Ни у одного контакта больше нет этой метки.

# Custom fields.
custom-title = Свои поля
custom-text = Они стоят на странице каждого контакта и приходят на все устройства в этом порядке. Фильтры находят их как custom."ИМЯ". То, что у контактов уже есть, остаётся, что бы здесь ни меняли.
custom-none = Своих полей ещё нет.
custom-none-text = Значения из импорта всё равно сохраняются; задайте поле с тем же именем, чтобы дать им вид.
custom-name = Имя
custom-kind = Что в нём
custom-add = Добавить поле
custom-name-hint = Имя остаётся: под ним у контактов стоят значения.
custom-choices = Значения для выбора, по одному в строке
custom-kind-text = Текст
custom-kind-number = Число
custom-kind-date = Дата
custom-kind-choice = Выбор
custom-kind-yes-no = Да или нет
custom-earlier = Выше
custom-earlier-one = { $name }: на место выше
custom-remove-confirm = Убрать поле { $name }? Значения у контактов остаются.
