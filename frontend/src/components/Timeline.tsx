import { useMemo, useState } from 'react';
import type { Decision } from '@/data/explanation';
import { useHistory } from '@/data/hour';
import {
  ASK_AGAIN_MS,
  eventsPath,
  historyPath,
  joined,
  lineOf,
  RANGES,
  type Range,
  Recorded,
  RecordedEvents,
  tracksOf,
} from '@/data/recorded';
import type { Stream } from '@/data/store';
import { marksOf, phaseSpans, type Span, trackSpans, within } from '@/data/timeline';
import type { Phase } from '@/data/wire';
import { useAnswer } from '@/hooks/useAnswer';
import { useNow } from '@/hooks/useNow';
import { type Text, useText } from '@/i18n';
import { AXIS_WIDTH, ListenerChart, type Pointed } from './ListenerChart';
import { RangeChoice } from './RangeChoice';

/** The axis moves on in steps: a chart that creeps is hard to look at. */
const STEP_MS = 5_000;
/** More of them on one axis would be a wall. */
const MARKS_SHOWN = 300;

const PHASE_LOOKS: Partial<Record<Phase, string>> = {
  counting: 'bg-amber-solid',
  frozen: 'border border-dashed border-amber bg-amber-wash',
  paused: 'bg-soft',
  stopping: 'bg-red-solid',
  stop_failed: 'bg-red-solid',
};

/** What stands out of its lane. */
const TICKS: Readonly<Record<string, string>> = {
  warning: 'bg-ink',
  ended: 'w-1 bg-red-solid',
  stop_failed: 'w-1 bg-ink',
};

interface Props {
  channelId: string;
  stream?: Stream;
  decisions: readonly Decision[];
}

/** Listeners, tracks and what auto-end did, on one axis of time: as recorded, and from then on as this page hears it. */
export function Timeline({ channelId, stream, decisions }: Props) {
  const text = useText();
  const { t, number, clock, moment } = text;
  const { history, version } = useHistory();
  const [range, setRange] = useState<Range>('hour');
  const [point, setPoint] = useState<Pointed>();
  const isLive = RANGES[range] <= RANGES.hour;
  const step = isLive ? STEP_MS : ASK_AGAIN_MS;
  const now = Math.ceil(useNow() / step) * step;
  const axis = useMemo(() => ({ from: now - RANGES[range], to: now }), [now, range]);

  // The last five minutes are a part of the last hour.
  const asked = isLive ? 'hour' : range;
  const recorded = useAnswer(
    `${channelId} ${asked}`,
    (now) => historyPath('listeners', channelId, now, asked),
    Recorded,
    ASK_AGAIN_MS,
  );
  const happened = useAnswer(
    `${channelId} ${asked}`,
    (now) => eventsPath(channelId, now, asked),
    RecordedEvents,
    ASK_AGAIN_MS,
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: the version is what changes.
  const line = useMemo(() => {
    const past = recorded.answer && lineOf(recorded.answer);
    if (isLive) return joined(past, history.listeners(channelId));
    return past ?? { times: [], values: [] };
  }, [recorded.answer, isLive, history, channelId, version]);
  const events = happened.answer?.events;
  const all = useMemo(() => marksOf(decisions, events), [decisions, events]);
  const marked = useMemo(() => within(all, axis).slice(-MARKS_SHOWN), [all, axis]);
  const phases = useMemo(() => phaseSpans(all, axis), [all, axis]);
  const tracks = trackSpans(tracksOf(events ?? [], history.playing(channelId)), axis);
  const leftOut = happened.answer?.left_out ?? 0;
  const failure = recorded.failure ?? happened.failure;

  const count = (value?: number | null) =>
    value == null ? t('detail.unknown') : number(Math.round(value * 10) / 10);
  const highest = line.most ?? line.values;
  const seen = highest.filter((value, index) => {
    return value !== null && (line.times[index] ?? 0) >= axis.from;
  });
  const present = stream?.listeners_known ? stream.listeners : undefined;
  const label = t('detail.chart', {
    channel: channelId,
    now: count(present),
    most: count(seen.length > 0 ? Math.max(...seen.map(Number)) : undefined),
  });
  const pointed = (at: number) => (isLive ? clock(at) : moment(at, now));
  return (
    <section aria-labelledby="timeline-title" className="card flex flex-col gap-2 p-4">
      <div className="flex flex-wrap items-center gap-2">
        <h2 id="timeline-title" className="font-semibold">
          {t('detail.listeners_over_time')}
        </h2>
        <p className="mr-auto min-h-5 text-sm text-soft tabular-nums">
          {point && `${pointed(point.at)} · ${count(point.listeners)}`}
          {point?.most != null && ` · ${t('detail.most', { most: count(point.most) })}`}
        </p>
        <RangeChoice range={range} onChoose={setRange} />
      </div>
      {recorded.answer && seen.length === 0 && (
        <p className="text-sm text-soft">{t('detail.no_line')}</p>
      )}
      <ListenerChart line={line} marks={marked} axis={axis} label={label} onPoint={setPoint} />
      <Lane name={t('detail.tracks')}>
        {tracks.map(({ track, ...span }) => {
          const words = [track.title, track.artist].filter(Boolean).join(' – ');
          return (
            <Bar
              key={span.from}
              span={span}
              axis={axis}
              title={titleOf(span, words, now, text)}
              look="border border-line bg-sunk text-soft"
            >
              {words}
            </Bar>
          );
        })}
      </Lane>
      <Lane name={t('detail.auto_end')}>
        {phases.map(({ phase, ...span }) => (
          <Bar
            key={span.from}
            span={span}
            axis={axis}
            title={titleOf(span, t(`phase.${phase}`), now, text)}
            look={PHASE_LOOKS[phase] ?? 'bg-line'}
          />
        ))}
        {marked.map(({ at, event, because }) => (
          <span
            key={`${at} ${event}`}
            className={`absolute top-0 h-full w-0.5 ${TICKS[event] ?? 'w-px bg-soft'}`}
            style={{ left: percent(at, axis) }}
            title={[
              `${moment(at, now)} ${text.lookUp(`event.${event}`, event)}`,
              because && (text.said(because) ?? because),
            ]
              .filter(Boolean)
              .join(': ')}
          />
        ))}
      </Lane>
      {leftOut > 0 && (
        <p className="text-sm text-soft">{t('detail.left_out', { count: leftOut })}</p>
      )}
      {failure !== undefined && (
        <p role="alert" className="text-sm text-amber">
          {t('detail.not_recorded', { detail: failure || t('action.unreachable') })}
        </p>
      )}
    </section>
  );
}

const titleOf = ({ from, to }: Span, words: string, now: number, { moment }: Text) =>
  `${moment(from, now)}–${moment(to, now)} ${words}`;

const percent = (at: number, { from, to }: Span) =>
  `${(((at - from) / (to - from)) * 100).toFixed(2)}%`;

/** One kind of happening, along the same axis as the chart above it. */
function Lane({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div className="flex flex-col gap-0.5">
      <p className="text-xs text-soft" style={{ paddingLeft: AXIS_WIDTH }}>
        {name}
      </p>
      <div style={{ paddingLeft: AXIS_WIDTH }} className="pr-6">
        <div className="relative h-6 overflow-hidden rounded bg-sunk/60">{children}</div>
      </div>
    </div>
  );
}

interface BarProps {
  span: Span;
  axis: Span;
  title: string;
  look: string;
  children?: string;
}

function Bar({ span, axis, title, look, children }: BarProps) {
  const width = (span.to - span.from) / (axis.to - axis.from);
  return (
    <span
      title={title}
      className={`absolute inset-y-0 truncate rounded px-1.5 text-xs leading-6 ${look}`}
      style={{ left: percent(span.from, axis), width: `${(width * 100).toFixed(2)}%` }}
    >
      {children}
    </span>
  );
}
