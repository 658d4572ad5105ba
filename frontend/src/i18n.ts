/** Every text of the page, in the browser's language: English, or Russian where it asks for it. */
import { createContext, useContext } from 'react';
import { en } from './i18n/en';
import { ru } from './i18n/ru';
import { inRussian } from './i18n/sentences';

type PluralForms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };
export type Entry = string | PluralForms;
export type Key = keyof typeof en;
export type Language = 'en' | 'ru';
/** `count` chooses the plural form. */
type Params = Readonly<Record<string, string | number>>;

export const DICTIONARIES: Record<Language, Record<Key, Entry>> = { en, ru };

export function pickLanguage(tag: string): Language {
  return /^ru\b/i.test(tag) ? 'ru' : 'en';
}

export interface Text {
  language: Language;
  /** Whose clocks are meant; this browser's where it is not said. */
  zone?: string;
  t(key: Key, params?: Params): string;
  /** For keys made from what the daemon says: `fallback` where this page has no word for it. */
  lookUp(key: string, fallback: string): string;
  number(value: number): string;
  /** 0–100, in whole per cent. */
  percent(value: number): string;
  clock(at: number | string): string;
  /** The clock without its seconds: for the axis of a chart. */
  clockShort(at: number | string): string;
  day(at: number | string): string;
  /** The clock, and the day where it is not the day of `now`. */
  moment(at: number | string, now: number): string;
  /** Minutes and seconds. */
  duration(seconds: number): string;
  /** Many names in one sentence. */
  list(names: readonly string[]): string;
  /** A sentence of the daemon's, which speaks English; `undefined` where there is no word for it. */
  said(sentence: string): string | undefined;
  uptime(seconds: number): string;
}

/** `zone` is an IANA name; without it times are those of this browser. */
export function textIn(language: Language, tag: string = language, zone?: string): Text {
  const dictionary = DICTIONARIES[language];
  const numbers = new Intl.NumberFormat(tag);
  const timeZone = zone || undefined;
  const plurals = onDemand(() => new Intl.PluralRules(language));
  const percents = onDemand(
    () => new Intl.NumberFormat(tag, { style: 'percent', maximumFractionDigits: 0 }),
  );
  const times = (options: Intl.DateTimeFormatOptions) =>
    onDemand(() => new Intl.DateTimeFormat(tag, { ...options, timeZone }));
  const clocks = times({ timeStyle: 'medium' });
  const shortClocks = times({ timeStyle: 'short' });
  const days = times({ day: 'numeric', month: 'short' });
  const lists = onDemand(() => new Intl.ListFormat(tag, { type: 'conjunction' }));

  function t(key: Key, params: Params = {}): string {
    const entry = dictionary[key];
    const form =
      typeof entry === 'string'
        ? entry
        : (entry[plurals().select(Number(params.count))] ?? entry.other);
    return form.replace(/\{(\w+)\}/g, (whole, name) => {
      const value = params[name];
      return typeof value === 'number' ? numbers.format(value) : (value ?? whole);
    });
  }

  return {
    language,
    zone: timeZone,
    t,
    lookUp: (key, fallback) => (Object.hasOwn(dictionary, key) ? t(key as Key) : fallback),
    number: (value) => numbers.format(value),
    percent: (value) => percents().format(value / 100),
    clock: (at) => clocks().format(new Date(at)),
    clockShort: (at) => shortClocks().format(new Date(at)),
    day: (at) => days().format(new Date(at)),
    moment(at, now) {
      const day = days().format(new Date(at));
      const clock = clocks().format(new Date(at));
      return day === days().format(new Date(now)) ? clock : `${day}, ${clock}`;
    },
    duration(seconds) {
      const whole = Math.ceil(seconds);
      const two = (part: number) => String(part).padStart(2, '0');
      const hours = Math.floor(whole / 3600);
      const minutes = Math.floor(whole / 60) % 60;
      if (hours > 0) return `${hours}:${two(minutes)}:${two(whole % 60)}`;
      return `${minutes}:${two(whole % 60)}`;
    },
    list: (names) => lists().format(names),
    said: (sentence) => (language === 'ru' ? inRussian(sentence) : sentence),
    uptime(seconds) {
      const minutes = Math.floor(seconds / 60);
      const hours = Math.floor(minutes / 60);
      const whole = Math.floor(hours / 24);
      if (whole > 0) return t('uptime.days', { days: whole, hours: hours % 24 });
      if (hours > 0) return t('uptime.hours', { hours, minutes: minutes % 60 });
      if (minutes > 0) return t('uptime.minutes', { minutes });
      return t('uptime.seconds', { seconds: Math.floor(seconds) });
    },
  };
}

/** Each of them costs the first paint some milliseconds, and few are needed for it. */
function onDemand<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

const inBrowsersLanguage = onDemand(() =>
  textIn(pickLanguage(navigator.language), navigator.language),
);

export const TextContext = createContext<Text | undefined>(undefined);

export const useText = () => useContext(TextContext) ?? inBrowsersLanguage();
