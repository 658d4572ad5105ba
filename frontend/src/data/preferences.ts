/** How this browser likes the page; kept in the browser, never sent. */
import * as v from 'valibot';
import { create } from 'zustand';

export const THEMES = ['system', 'light', 'dark'] as const;
export const LANGUAGES = ['browser', 'en', 'ru'] as const;
export const LAYOUTS = ['cards', 'rows'] as const;

/** What an older page left behind may be anything. */
const Preferences = v.object({
  theme: v.fallback(v.picklist(THEMES), 'system'),
  language: v.fallback(v.picklist(LANGUAGES), 'browser'),
  /** An IANA time zone; empty for the browser's own. */
  zone: v.fallback(v.pipe(v.string(), v.check(isZone)), ''),
  layout: v.fallback(v.picklist(LAYOUTS), 'cards'),
  sound: v.fallback(v.boolean(), false),
});
export type Preferences = v.InferOutput<typeof Preferences>;

export const defaultPreferences: Preferences = {
  theme: 'system',
  language: 'browser',
  zone: '',
  layout: 'cards',
  sound: false,
};

const KEPT_AS = 'sattva-monitor';

export const usePreferences = create<Preferences>(kept);

export function prefer(change: Partial<Preferences>): void {
  usePreferences.setState(change);
  try {
    localStorage.setItem(KEPT_AS, JSON.stringify({ state: usePreferences.getState() }));
  } catch {
    // A browser that keeps nothing still does as it is told, until it is closed.
  }
}

function kept(): Preferences {
  try {
    const { state } = JSON.parse(localStorage.getItem(KEPT_AS) ?? '{}');
    return v.parse(Preferences, { ...defaultPreferences, ...state });
  } catch {
    return defaultPreferences;
  }
}

function isZone(zone: string): boolean {
  if (zone === '') return true;
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: zone }));
  } catch {
    return false;
  }
}
