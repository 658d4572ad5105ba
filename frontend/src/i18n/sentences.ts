/**
 * The daemon says its reasons in English. These are its sentences and what they are in Russian; a
 * test holds them against the daemon's source. `$1` is what stands in the place of `(.+)`.
 */
const SENTENCES: readonly (readonly [english: string, russian: string])[] = [
  // Why it does or does not count down.
  [
    'The stream is over: no source reports it as running.',
    'Эфир закончился: ни один источник не говорит, что он идёт.',
  ],
  [
    'A stop has been decided; it counts as done when the stream is seen gone.',
    'Решено остановить; выполнено, когда эфир исчезнет.',
  ],
  [
    'A stop has been decided, and is held back until nobody is known to listen: (.+).',
    'Решено остановить, но пока неизвестно, слушает ли кто-нибудь, остановка ждёт: $1.',
  ],
  [
    'A stop has been decided; in doubt only an adapter that sees for itself who listens goes on: (.+).',
    'Решено остановить; при сомнении продолжает только адаптер, который сам видит, кто слушает: $1.',
  ],
  ['A stop has failed and the stream is still there: (.+)', 'Остановить не удалось, эфир идёт: $1'],
  [
    'It is tried again at a fresh zero, at most every 5 minutes, until the stream is gone or an operator settles it.',
    'Новая попытка — когда снова никто не слушает, не чаще раза в 5 минут, пока эфир не исчезнет или не вмешается оператор.',
  ],
  [
    "An operator has paused auto-end; it holds until resume or the session's end.",
    'Оператор приостановил автозавершение — до возобновления или конца сеанса.',
  ],
  [
    'Auto-end is switched off for this channel by the configuration.',
    'Автозавершение для этого канала выключено в конфигурации.',
  ],
  [
    'The streamer itself is paused, which suppresses auto-end.',
    'Сам стример на паузе, поэтому отсчёта нет.',
  ],
  [
    'The time is up, but the store cannot be written, so no stop is decided.',
    'Время вышло, но хранилище не пишется, поэтому решения об остановке нет.',
  ],
  [
    'The time is up; the stop waits for a zero newer than one report interval.',
    'Время вышло; остановка ждёт свежего нуля — новее одного интервала отчётов.',
  ],
  [
    'Counting down: (.+); it ends in (.+) s unless somebody listens.',
    'Идёт отсчёт: $1; завершится через $2 с, если никто не появится.',
  ],
  [
    'The count is unknown \\((.+)\\), so the countdown stands still with (.+) s left.',
    'Число слушателей неизвестно ($1), отсчёт стоит, осталось $2 с.',
  ],
  [
    'The count is unknown: (.+); nothing is stopped in doubt.',
    'Число слушателей неизвестно: $1. При сомнении ничего не останавливается.',
  ],
  [
    'An operator keeps it alive: no countdown until somebody has joined.',
    'Оператор оставил эфир: отсчёта не будет, пока кто-нибудь не придёт.',
  ],
  [
    'It would have been stopped, but (.+); nothing more happens until somebody has listened.',
    'Эфир был бы остановлен, но $1; больше ничего не будет, пока кто-нибудь не послушает.',
  ],
  ['(\\d+) listening, so nothing counts down.', 'Слушают: $1, отсчёта нет.'],
  // Parts of those.
  ['this is a dry run', 'это пробный режим'],
  ['(\\S+) may not be told to stop', '$1 нельзя останавливать'],
  // Why something was decided.
  ['(.+) s are left and nobody listens', 'осталось $1 с, никто не слушает'],
  ['somebody listens', 'кто-то слушает'],
  ['somebody came and went', 'кто-то пришёл и ушёл'],
  ['the streamer is paused', 'стример на паузе'],
  ['the stream ended by itself', 'эфир закончился сам'],
  ['a new session began', 'начался новый сеанс'],
  ['an operator paused auto-end', 'оператор приостановил автозавершение'],
  ['an operator resumed auto-end', 'оператор возобновил автозавершение'],
  ['an operator gave it more time', 'оператор добавил времени'],
  ['an operator keeps it alive', 'оператор оставил эфир'],
  ['an operator asked for it', 'так решил оператор'],
  ['the configuration switched auto-end off', 'автозавершение выключено в конфигурации'],
  ['the configuration was reloaded', 'конфигурация перечитана'],
  ['the streamer refused: somebody is there', 'стример отказал: там кто-то есть'],
  ['the stop could not be stored', 'остановку не удалось записать'],
  ['the stop could not be delivered in time', 'остановку не удалось вовремя доставить'],
  ['nobody has joined since it started', 'с начала эфира никто не пришёл'],
  ['the last listener has left', 'последний слушатель ушёл'],
  ['the last listener left', 'последний слушатель ушёл'],
  ['an earlier stop failed', 'прежняя остановка не удалась'],
  ['the stream was not seen gone within 60 s', 'за 60 с эфир не исчез'],
  ['the count is unknown', 'число слушателей неизвестно'],
  ['the count is known again: nobody listens', 'число снова известно: никто не слушает'],
  [
    'nobody listens and the time is up, but (.+) may not be told to stop',
    'никто не слушает и время вышло, но $1 нельзя останавливать',
  ],
  ['dry run: nobody listens and the time is up', 'пробный режим: никто не слушает, время вышло'],
  ['the stream is gone after the stop', 'после остановки эфир исчез'],
  ['stop withdrawn: (.+)', 'остановка отозвана: $1'],
  // Why a count is unknown.
  [
    '(\\S+) has not reported since the daemon started, stalled or doubted its clock',
    '$1 молчит с тех пор, как демон запустился, замирал или усомнился в часах',
  ],
  ['(\\S+) does not say how many listen', '$1 не говорит, сколько слушают'],
  [
    '(\\S+) last reported (.+) s ago, and its reports are believed for (.+) s',
    '$1 сообщал $2 с назад, а верим его отчётам $3 с',
  ],
];

const PATTERNS = SENTENCES.map(
  ([english, russian]) => [new RegExp(`^${english.replace(/\.$/, '\\.')}$`), russian] as const,
);

/** A part that is a sentence of its own is told in Russian, too. */
const DEPTH_MAX = 3;

export function inRussian(sentence: string, depth = 0): string | undefined {
  for (const [pattern, russian] of PATTERNS) {
    const match = pattern.exec(sentence);
    if (!match) continue;
    return russian.replace(/\$(\d)/g, (_, place) => {
      const part = match[Number(place)] ?? '';
      return (depth < DEPTH_MAX ? inRussian(part, depth + 1) : undefined) ?? part;
    });
  }
  return undefined;
}
