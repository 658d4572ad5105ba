/** How this browser likes the page; kept in the browser, never sent. */
import * as v from 'valibot';
import { create } from 'zustand';
import { persist } from 'zustand/middleware';

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

export const usePreferences = create<Preferences>()(
  persist(() => defaultPreferences, {
    name: 'sattva-monitor',
    merge: (kept, current) => {
      const read = v.safeParse(Preferences, { ...current, ...(kept as object) });
      return read.success ? read.output : current;
    },
  }),
);

export const prefer = (change: Partial<Preferences>) => usePreferences.setState(change);

function isZone(zone: string): boolean {
  if (zone === '') return true;
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: zone }));
  } catch {
    return false;
  }
}
