import { lazy, Suspense, useEffect, useMemo } from 'react';
import { Route, Router, Switch } from 'wouter';
import { Toasts } from '@/components/Toasts';
import { BASE, REPORTS, STREAM, WALL } from '@/data/address';
import { toneOf, useNotices } from '@/data/notices';
import { usePreferences } from '@/data/preferences';
import { UNKNOWN, useSession } from '@/data/session';
import { play } from '@/data/sound';
import { useMonitorStore } from '@/data/store';
import { pickLanguage, TextContext, textIn, useText } from '@/i18n';
import { Monitoring } from '@/pages/Monitoring';
import { SignIn } from '@/pages/SignIn';
import { Wall } from '@/pages/Wall';

// With its charts it is a third of the whole: the list is there sooner without it.
const Stream = lazy(() => import('@/pages/Stream').then(({ Stream }) => ({ default: Stream })));
const Reports = lazy(() => import('@/pages/Reports').then(({ Reports }) => ({ default: Reports })));

export function App() {
  const { theme, language, zone } = usePreferences();
  const session = useSession();
  const text = useMemo(() => {
    const own = pickLanguage(navigator.language);
    const chosen = language === 'browser' ? own : language;
    return textIn(chosen, chosen === own ? navigator.language : chosen, zone);
  }, [language, zone]);
  useEffect(() => {
    document.documentElement.lang = text.language;
  }, [text]);
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  if (!session.may_view) {
    return <TextContext value={text}>{session === UNKNOWN ? <Loading /> : <SignIn />}</TextContext>;
  }
  return (
    <TextContext value={text}>
      <Title />
      <Sound />
      <Router base={BASE}>
        <Suspense fallback={<Loading />}>
          <Switch>
            <Route path={WALL}>
              <Wall />
            </Route>
            <Route path={REPORTS}>
              <Reports />
            </Route>
            <Route path={STREAM}>
              {({ id }) => <Stream key={id} channelId={decodeURIComponent(id)} />}
            </Route>
            <Route>
              <Monitoring />
            </Route>
          </Switch>
        </Suspense>
        <Toasts />
      </Router>
    </TextContext>
  );
}

/** How many streams want a person, for a page that is one tab of many; offline nobody knows. */
function Title() {
  const { t } = useText();
  const count = useMonitorStore(
    (state) => new Set([...Object.keys(state.warnings), ...failed(state.streams)]).size,
  );
  const isStale = useMonitorStore((state) => state.staleSince !== undefined);
  useEffect(() => {
    if (isStale) document.title = t('page.offline');
    else document.title = count > 0 ? t('page.attention', { count }) : t('page.title');
  }, [count, isStale, t]);
  return null;
}

function failed(streams: ReturnType<typeof useMonitorStore.getState>['streams']): string[] {
  return Object.keys(streams).filter((id) => streams[id]?.auto_end.phase === 'stop_failed');
}

function Sound() {
  const wanted = usePreferences((preferences) => preferences.sound);
  useEffect(() => {
    if (!wanted) return;
    return useNotices.subscribe(({ notices, last }, before) => {
      const newest = notices.at(-1);
      if (newest && last !== before.last) play(toneOf(newest), Date.now());
    });
  }, [wanted]);
  return null;
}

function Loading() {
  const { t } = useText();
  return <p className="late py-24 text-center text-soft">{t('page.loading')}</p>;
}
