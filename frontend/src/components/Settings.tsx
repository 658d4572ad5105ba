import { useMemo } from 'react';
import { LANGUAGES, prefer, THEMES, usePreferences } from '@/data/preferences';
import { allowSound } from '@/data/sound';
import { useText } from '@/i18n';
import { Choice } from './Choice';
import { Dialog } from './Dialog';
import { SignedIn } from './SignedIn';

/** Every language by its own name. */
const LANGUAGE_NAMES = { en: 'English', ru: 'Русский' } as const;

export function Settings({ onClose }: { onClose: () => void }) {
  const { t } = useText();
  const { theme, language, zone, sound } = usePreferences();
  const zones = useMemo(() => ['UTC', ...Intl.supportedValuesOf('timeZone')], []);
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <Dialog title={t('page.settings')} onClose={onClose}>
      {(close) => (
        <div className="mt-4 flex flex-col gap-4">
          <Choice
            label={t('settings.theme')}
            value={theme}
            options={THEMES.map((each) => [each, t(`settings.theme.${each}`)])}
            onChoose={(theme) => prefer({ theme })}
          />
          <Choice
            label={t('settings.language')}
            value={language}
            options={LANGUAGES.map((each) => [
              each,
              each === 'browser' ? t('settings.language.browser') : LANGUAGE_NAMES[each],
            ])}
            onChoose={(language) => prefer({ language })}
          />
          <Choice
            label={t('settings.zone')}
            value={zone}
            options={[
              ['', t('settings.zone.own', { zone: own })],
              ...zones.map((each) => [each, each.replaceAll('_', ' ')] as const),
            ]}
            onChoose={(zone) => prefer({ zone })}
          />
          <label className="flex cursor-pointer items-start gap-3">
            <input
              type="checkbox"
              checked={sound}
              className="mt-0.5 size-5 accent-jade"
              onChange={({ target }) => {
                prefer({ sound: target.checked });
                if (target.checked) allowSound();
              }}
            />
            <span>
              {t('settings.sound')}
              <span className="block text-sm text-soft">{t('settings.sound_hint')}</span>
            </span>
          </label>
          <div className="flex items-center justify-between gap-3">
            <p className="text-sm text-soft">{t('settings.kept')}</p>
            <button type="button" className="button" onClick={close}>
              {t('page.close')}
            </button>
          </div>
          <SignedIn />
        </div>
      )}
    </Dialog>
  );
}
