import { describe, expect, test } from 'vitest';
import { DICTIONARIES, type Language, pickLanguage, textIn } from './i18n';

const languages = Object.keys(DICTIONARIES) as Language[];
const placeholders = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(([name]) => name).sort();
const forms = (entry: string | object): string[] =>
  typeof entry === 'string' ? [entry] : Object.values(entry);

describe.each(languages)('the texts in %s', (language) => {
  const dictionary = DICTIONARIES[language];

  test('are all there', () => {
    expect(Object.keys(dictionary).sort()).toEqual(Object.keys(DICTIONARIES.en).sort());
    for (const entry of Object.values(dictionary)) {
      for (const form of forms(entry)) expect(form.trim()).not.toBe('');
    }
  });

  test('have every plural form the language needs', () => {
    const needed = new Intl.PluralRules(language).resolvedOptions().pluralCategories.toSorted();
    for (const [key, entry] of Object.entries(dictionary)) {
      if (typeof entry !== 'string') expect(Object.keys(entry).sort(), key).toEqual(needed);
    }
  });

  test('use the same placeholders as the English ones', () => {
    for (const [key, entry] of Object.entries(dictionary)) {
      const original = DICTIONARIES.en[key as keyof typeof dictionary];
      for (const form of forms(entry)) {
        expect(placeholders(form), key).toEqual(placeholders(forms(original)[0] ?? ''));
      }
    }
  });
});

test('Russian counts listeners the Russian way', () => {
  const { t } = textIn('ru');
  const word = (count: number) => t('stream.listeners', { count });
  expect([1, 2, 5, 11, 21].map(word)).toEqual([
    'слушатель',
    'слушателя',
    'слушателей',
    'слушателей',
    'слушатель',
  ]);
});

test('the browser chooses between Russian and English', () => {
  expect(['ru', 'ru-RU', 'en-US', 'de', 'run'].map(pickLanguage)).toEqual([
    'ru',
    'ru',
    'en',
    'en',
    'en',
  ]);
});

test('an uptime is told in its two largest units', () => {
  const { uptime } = textIn('en');
  expect([42, 125, 7_380, 193_800].map(uptime)).toEqual(['42 s', '2 min', '2 h 3 min', '2 d 5 h']);
});

test('a channel named like a placeholder is shown as it is', () => {
  expect(textIn('en').t('stop.title', { channel: '{channel} $&' })).toBe('Stop {channel} $&?');
});
