# Alerts.
alerts-only-new = Только новые
alerts-all = И просмотренные
alerts-none = Ничего необычного
alerts-none-text = Здесь появляется тот, кто читает или выгружает необычно много контактов или трогает подставной.
alerts-operator = Оператор в консоли
alert-number = Тревога { $n }
alert-seen-chip = просмотрено
alert-planted = подставной контакт
alert-volume = необычный объём
alert-called = Его имя: { $name }.
alert-times = { $n ->
        [one] { $n } раз
        [few] { $n } раза
       *[many] { $n } раз
    } с { $time }.
alert-held = Придержано до { $time }.
alert-device = Устройство: { $name }.
alert-revoke-confirm = Отозвать устройство { $device } ({ $person })? Оно больше не получит данных и очистится при следующей связи; неотправленные правки будут переданы.
alert-revoke = Отозвать устройство
alert-sign-out-confirm = Завершить все сеансы { $person }?
alert-sign-out = Выйти везде
alert-lift-confirm = Разрешить { $person } продолжать? Счёт начнётся заново.
alert-lift = Разрешить
alert-seen = Просмотрено

# The audit log.
audit-no-day = «{ $text }» — не день; напишите его как 2026-05-31.
audit-verify = Проверить
audit-export-csv = Экспорт CSV
audit-export-json = Экспорт JSON
audit-what = Что
audit-anybody = Кто угодно
audit-operator = Оператор или сервер
audit-id = Id
audit-id-of = контакта, устройства или человека
audit-from = С
audit-to = По
show = Показать
nothing-fits = Ничего не подходит
audit-nothing-text = Нет записи со всем этим. { $link }.
see-all = Показать все
audit-caption = Журнал, сначала новое
when = Когда
audit-subject = Над чем
audit-details = Подробности
n-entries = { $n ->
        [one] { $n } запись
        [few] { $n } записи
       *[many] { $n } записей
    }
newer = Новее
older = Старее
audit-by-operator = оператор
audit-number = № { $n }
audit-whole = Ничего не изменено и не изъято: { $entries }. Новейшая — № { $n }, { $hash }
audit-not-whole = Журнал нарушен.
audit-finding = № { $n }: { $what }.
audit-gap = № { $n }: при запуске { $time } не было записей до № { $reached }: восстановлена старая копия или их изъяли. { $command } принимает это.

# Erasures.
erasures-none = Пока никого не стирали
erasures-none-text = { $command } стирает контакт; здесь видно, кто это подтвердил.
erasures-older = { $n ->
        [one] { $n } более старое
        [few] { $n } более старых
       *[many] { $n } более старых
    }: { $command }
erasure-of = Стирание { $id }
erasure-all = подтвердили все
erasure-open = { $n ->
        [one] { $n } устройство не подтвердило
        [few] { $n } устройства не подтвердили
       *[many] { $n } устройств не подтвердили
    }
erasure-files = файлы ещё не очищены
erasure-replayed = повторено по журналу
erasure-by = { $id }, { $who }
erasure-operator = оператор
erasure-no-device = Его не было ни на одном устройстве.
state = Состояние
erasure-mentions = Упомянут в других контактах
erasure-mentions-text = Откройте каждый и уберите человека или оставьте как есть. Изменённое остаётся в истории контакта.
erasure-confirmed = подтверждено
erasure-revoked = отозвано
erasure-wiped-next = очистится при следующей связи
erasure-not-yet = ещё нет
span-ago = { $span } назад
erasure-taken-out = Убрано
erasure-leave = Оставить
erasure-say = Укажите, убрано это или оставлено.

# Retention.
rules = Правила
retention-none = Правил пока нет
retention-none-text = Например: потерянные лиды, через 24 месяца после последнего контакта. Само ничего не стирается: правило показывает, кого касается, а вы подтверждаете список.
retention-caption = Правила хранения
retention-rule = Правило
retention-months = Месяцы
filter = Фильтр
preview = Просмотр
retention-remove-confirm = Удалить правило { $name }? Это никого не сотрёт.
name = Название
retention-which = Какие контакты
retention-months-without = Месяцев без контакта
retention-set = Задать правило
retention-due = { $n ->
        [one] подлежит { $n } контакт
        [few] подлежат { $n } контакта
       *[many] подлежат { $n } контактов
    }
retention-nobody = Никто не подлежит
retention-nobody-text = Сегодня правило никого не касается.
retention-reached = Контакты, которых касается правило
retention-last = Последний контакт или правка
and-more = и ещё { $n }
retention-erase-confirm = Стереть навсегда { $n ->
        [one] этот { $n } контакт
        [few] эти { $n } контакта
       *[many] эти { $n } контактов
    }, здесь и на всех устройствах?
retention-erase = Стереть эти { $n }
retention-whole-months = Укажите месяцы целым числом.

# After a restore.
review-title = После восстановления
review-none = Ничего не придержано
review-none-text = Устройства и страницы получают то, что положено их людям.
review-held = Данные клиентов придержаны
review-why = Эта база уже существовала, а её журнала нет. Произошедшее после { $time } может здесь отсутствовать: стирания, отзывы устройств, передачи контактов.
review-unknown-time = неизвестного времени
review-since = С { $time } устройства отдают правки и ничего не получают; эти страницы видят только администраторы. Если есть копия журнала, остановите сервер и верните её: решать ничего не придётся.
review-devices = 1. Какие устройства с тех пор потеряны или отозваны?
review-gets-data = снова получит данные
review-revoke-confirm = Отозвать устройство { $device }?
review-people = 2. Кто входит и чьи контакты чьи?
contacts = Контакты
review-nobodys = Ничьи
review-erased = 3. Что с тех пор стёрто?
review-again = Сотрите снова: { $erase }. Люди: { $disable }, контакты: { $assign }.
review-confirm = Устройства, люди и назначения верны? Данные клиентов сразу пойдут снова.
review-confirm-button = Подтвердить: снова отправлять данные
