import { useMemo } from 'react';
import { Link, useLocation } from 'wouter';
import { StopFailure } from '@/components/AutoEndStatus';
import { ConnectionNotice, ConnectionStatus } from '@/components/ConnectionStatus';
import { Countdown } from '@/components/Countdown';
import { FaultNotice } from '@/components/FaultNotice';
import { FirstStreamer } from '@/components/FirstStreamer';
import { Icon } from '@/components/Icon';
import { Logo } from '@/components/Logo';
import { CONDITION_DOTS } from '@/components/StreamToolbar';
import { FROM_HERE, LIST, streamAddress } from '@/data/address';
import {
  CONDITIONS,
  type Condition,
  conditionOf,
  countConditions,
  isOver,
  urgency,
} from '@/data/listing';
import type { Stream } from '@/data/store';
import { behind } from '@/data/totals';
import { useKeys } from '@/hooks/useKeys';
import { useMonitoringWebSocket } from '@/hooks/useMonitoringWebSocket';
import { useNow } from '@/hooks/useNow';
import { useSize } from '@/hooks/useSize';
import { useText } from '@/i18n';

/** In rem; a tile is read from some metres away. */
const TILE = { least: 17, height: 8.5, gap: 0.75 };

const TILE_LOOKS: Record<Condition, string> = {
  failed: 'border-red-solid bg-red-solid text-white',
  ending: 'border-amber-line bg-amber-wash text-amber',
  unknown: 'border-dashed border-amber-line bg-card',
  held: 'border-line bg-card',
  heard: 'border-line bg-card',
  ended: 'border-line bg-sunk text-soft',
};

/** For a screen that nobody touches: large figures, the most urgent first, as much as fits and no scrolling. */
export function Wall() {
  const { t, number, clock } = useText();
  const { stats, streams, isConnected, staleSince, error } = useMonitoringWebSocket();
  const isStale = !isConnected && staleSince !== undefined;
  const now = useNow();
  const [, goTo] = useLocation();
  useKeys({ w: () => goTo(LIST), Escape: () => goTo(LIST) });
  const [box, size] = useSize<HTMLUListElement>();
  const { unknown, noCount } = behind(streams);
  const counts = useMemo(() => countConditions(streams), [streams]);
  const inOrder = useMemo(() => {
    const ranked = streams
      .filter((stream) => !isOver(stream))
      .map((stream) => ({ stream, rank: urgency(stream) }));
    return ranked.sort((a, b) => a.rank - b.rank).map(({ stream }) => stream);
  }, [streams]);

  const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
  const howMany = (pixels: number, least: number) =>
    Math.max(1, Math.floor((pixels / rem + TILE.gap) / (least + TILE.gap)));
  const columns = howMany(size.width, TILE.least);
  const room = columns * howMany(size.height, TILE.height);
  // The last place says how many have none.
  const shown = inOrder.slice(0, inOrder.length > room ? room - 1 : room);
  const hidden = inOrder.length - shown.length;
  const whole = (value?: number) => (value === undefined ? '–' : number(value));

  return (
    <div className="flex h-dvh flex-col gap-4 overflow-hidden p-4 sm:p-6">
      <header className="flex flex-wrap items-center gap-x-6 gap-y-2">
        <Logo />
        <h1 className="sr-only">{t('page.title')}</h1>
        <dl className="flex flex-wrap items-baseline gap-x-8">
          <Figure label={t('metrics.streams')} value={whole(stats?.active_streams)} />
          <Figure
            label={t('metrics.listeners')}
            value={stats && noCount ? '?' : whole(stats?.total_listeners)}
          >
            {unknown > 0 && t('metrics.unknown_streams', { count: unknown })}
          </Figure>
        </dl>
        <ul className="mr-auto flex flex-wrap gap-x-5 gap-y-1 text-lg">
          {CONDITIONS.filter((condition) => counts[condition] > 0).map((condition) => (
            <li key={condition} className="flex items-center gap-2 whitespace-nowrap">
              <span
                className={`size-3 rounded-full ${CONDITION_DOTS[condition]}`}
                aria-hidden="true"
              />
              <span className="text-soft">{t(`condition.${condition}`)}</span>
              <span className="font-semibold tabular-nums">{number(counts[condition])}</span>
            </li>
          ))}
        </ul>
        <ConnectionStatus isConnected={isConnected} staleSince={staleSince} />
        <time className="text-3xl font-semibold tabular-nums">{clock(now)}</time>
        <Link
          href={LIST}
          className="icon-button"
          title={`${t('wall.leave')} (w)`}
          aria-label={t('wall.leave')}
        >
          <Icon name="close" />
        </Link>
      </header>
      <ConnectionNotice isConnected={isConnected} staleSince={staleSince} />
      {error && <FaultNotice fault={error} />}
      <main className={`flex min-h-0 grow flex-col ${isStale ? 'stale' : ''}`}>
        {streams.length === 0 && (isConnected || isStale) && <FirstStreamer />}
        <ul
          ref={box}
          className="grid min-h-0 grow content-start overflow-hidden"
          style={{
            gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`,
            gridAutoRows: `${TILE.height}rem`,
            gap: `${TILE.gap}rem`,
          }}
        >
          {shown.map((stream) => (
            <Tile key={stream.channel_id} stream={stream} />
          ))}
          {hidden > 0 && (
            <li className="flex items-center justify-center rounded-2xl border border-dashed border-line text-2xl text-soft">
              {t('warnings.more', { count: hidden })}
            </li>
          )}
        </ul>
      </main>
    </div>
  );
}

interface FigureProps {
  label: string;
  value: string;
  children?: string | false;
}

function Figure({ label, value, children }: FigureProps) {
  return (
    <div className="flex items-baseline gap-2">
      <dd className="order-first text-5xl leading-none font-semibold tracking-tight tabular-nums">
        {value}
      </dd>
      <dt className="text-lg text-soft">
        {label} {children && <span className="text-amber">{children}</span>}
      </dt>
    </div>
  );
}

function Tile({ stream }: { stream: Stream }) {
  const { t, number, lookUp } = useText();
  const { channel_id, listeners, listeners_known, current_track: track, auto_end } = stream;
  const condition = conditionOf(stream);
  const known = listeners_known && listeners !== undefined;
  const quiet = condition === 'failed' ? '' : 'text-soft';
  return (
    <li className={`flex min-w-0 flex-col rounded-2xl border-2 px-4 py-3 ${TILE_LOOKS[condition]}`}>
      <Link
        href={streamAddress(channel_id)}
        state={FROM_HERE}
        className="truncate rounded text-xl font-semibold"
      >
        {channel_id}
      </Link>
      <p className={`truncate ${quiet}`}>{track?.title ?? t('stream.no_track')}</p>
      <div className="mt-auto flex items-end justify-between gap-3">
        <p className="whitespace-nowrap">
          <span className="text-4xl leading-none font-semibold tabular-nums">
            {known ? number(listeners) : '?'}
          </span>{' '}
          <span className={quiet}>
            {known
              ? t('stream.listeners', { count: listeners })
              : listeners !== undefined
                ? t('stream.last_known', { count: listeners })
                : t('stream.listeners_unknown')}
          </span>
        </p>
        {condition === 'failed' ? (
          <p className="text-right text-sm leading-tight font-medium">
            <StopFailure reason={auto_end.reason} />
          </p>
        ) : auto_end.phase === 'counting' && auto_end.ends_at ? (
          <span className="text-right text-4xl leading-none">
            {auto_end.dry_run && <span className="block text-sm">{t('phase.counting.dry')}</span>}
            <Countdown endsAt={auto_end.ends_at} />
          </span>
        ) : condition === 'heard' ? null : (
          <p className={`text-right text-sm leading-tight ${quiet}`}>
            {condition === 'ended'
              ? t('stream.ended')
              : lookUp(`phase.${auto_end.phase}.${auto_end.reason}`, t(`phase.${auto_end.phase}`))}
          </p>
        )}
      </div>
    </li>
  );
}
