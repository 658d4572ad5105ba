import { lazy, Suspense, useEffect, useMemo } from 'react';
import { Route, Router, Switch, useLocation } from 'wouter';
import { Breakdown } from '@/components/Breakdown';
import { Toasts } from '@/components/Toasts';
import { BASE, channelIn, REPORTS, STREAM, WALL } from '@/data/address';
import { toneOf, useNotices } from '@/data/notices';
import { usePreferences } from '@/data/preferences';
import { UNKNOWN, useSession } from '@/data/session';
import { play } from '@/data/sound';
import { useMonitorStore } from '@/data/store';
import { pickLanguage, TextContext, textIn, useText } from '@/i18n';
import { Monitoring } from '@/pages/Monitoring';
import { SignIn } from '@/pages/SignIn';
import { Wall } from '@/pages/Wall';

// With their charts they are a third of the whole: the list is there sooner without them.
const later = () => import('@/pages/later');
const Stream = lazy(() => later().then(({ Stream }) => ({ default: Stream })));
const Reports = lazy(() => later().then(({ Reports }) => ({ default: Reports })));
const FETCH_WITHIN_MS = 2_000;

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
        <Pages />
        <Toasts />
      </Router>
    </TextContext>
  );
}

function Pages() {
  const [location] = useLocation();
  useEffect(fetchPages, []);
  return (
    // Another page may be well.
    <Breakdown key={location}>
      <Suspense fallback={<Loading />}>
        <Switch>
          <Route path={WALL}>
            <Wall />
          </Route>
          <Route path={REPORTS}>
            <Reports />
          </Route>
          <Route path={STREAM}>{({ id }) => <Stream channelId={channelIn(id)} />}</Route>
          <Route>
            <Monitoring />
          </Route>
        </Switch>
      </Suspense>
    </Breakdown>
  );
}

/** Before anybody asks for them: later the daemon may be away, or newer and without these very files. */
function fetchPages(): () => void {
  const fetch = () => void later().catch(() => {});
  if (!('requestIdleCallback' in window)) {
    const timer = setTimeout(fetch, FETCH_WITHIN_MS);
    return () => clearTimeout(timer);
  }
  const idle = window.requestIdleCallback(fetch, { timeout: FETCH_WITHIN_MS });
  return () => window.cancelIdleCallback(idle);
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
