/** Every text of the page, in the browser's language: English, or Russian where it asks for it. */
import { createContext, useContext } from 'react';
import { en } from './i18n/en';
import { ru } from './i18n/ru';

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
  t(key: Key, params?: Params): string;
  /** For keys made from what the daemon says: `fallback` where this page has no word for it. */
  lookUp(key: string, fallback: string): string;
  number(value: number): string;
  /** 0–100, in whole per cent. */
  percent(value: number): string;
  clock(at: number | string): string;
  uptime(seconds: number): string;
}

export function textIn(language: Language, tag: string = language): Text {
  const dictionary = DICTIONARIES[language];
  const plurals = new Intl.PluralRules(language);
  const numbers = new Intl.NumberFormat(tag);
  const percents = new Intl.NumberFormat(tag, { style: 'percent', maximumFractionDigits: 0 });
  const clocks = new Intl.DateTimeFormat(tag, { timeStyle: 'medium' });

  function t(key: Key, params: Params = {}): string {
    const entry = dictionary[key];
    const form =
      typeof entry === 'string'
        ? entry
        : (entry[plurals.select(Number(params.count))] ?? entry.other);
    return form.replace(/\{(\w+)\}/g, (whole, name) => {
      const value = params[name];
      return typeof value === 'number' ? numbers.format(value) : (value ?? whole);
    });
  }

  return {
    language,
    t,
    lookUp: (key, fallback) => (Object.hasOwn(dictionary, key) ? t(key as Key) : fallback),
    number: (value) => numbers.format(value),
    percent: (value) => percents.format(value / 100),
    clock: (at) => clocks.format(new Date(at)),
    uptime(seconds) {
      const minutes = Math.floor(seconds / 60);
      const hours = Math.floor(minutes / 60);
      const days = Math.floor(hours / 24);
      if (days > 0) return t('uptime.days', { days, hours: hours % 24 });
      if (hours > 0) return t('uptime.hours', { hours, minutes: minutes % 60 });
      if (minutes > 0) return t('uptime.minutes', { minutes });
      return t('uptime.seconds', { seconds: Math.floor(seconds) });
    },
  };
}

export const TextContext = createContext<Text>(
  textIn(pickLanguage(navigator.language), navigator.language),
);

export const useText = () => useContext(TextContext);
