import { useMemo, useState } from 'react';
import type { Decision } from '@/data/explanation';
import { useHistory } from '@/data/hour';
import type { Stream } from '@/data/store';
import { marks, phaseSpans, type Span, trackSpans } from '@/data/timeline';
import type { Phase } from '@/data/wire';
import { useNow } from '@/hooks/useNow';
import { type Text, useText } from '@/i18n';
import { AXIS_WIDTH, ListenerChart } from './ListenerChart';

const MINUTES = [5, 15, 60] as const;
/** The axis moves on in steps: a chart that creeps is hard to look at. */
const STEP_MS = 5_000;

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

/** Listeners, tracks and what auto-end did, on one axis of time. */
export function Timeline({ channelId, stream, decisions }: Props) {
  const text = useText();
  const { t, number, clock } = text;
  const { history, version } = useHistory();
  const [minutes, setMinutes] = useState<(typeof MINUTES)[number]>(5);
  const [point, setPoint] = useState<{ at: number; listeners: number | null }>();
  const now = Math.ceil(useNow() / STEP_MS) * STEP_MS;
  const axis = useMemo(() => ({ from: now - minutes * 60_000, to: now }), [now, minutes]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the version is what changes.
  const line = useMemo(() => history.listeners(channelId), [history, channelId, version]);
  const marked = useMemo(() => marks(decisions, axis), [decisions, axis]);
  const phases = useMemo(() => phaseSpans(decisions, axis), [decisions, axis]);
  const since = history.since();
  const tracks = trackSpans(history.tracks(channelId), axis);

  const count = (value?: number | null) => (value == null ? t('detail.unknown') : number(value));
  const seen = line.values.filter((value, index) => {
    return value !== null && (line.times[index] ?? 0) >= axis.from;
  });
  const present = stream?.listeners_known ? stream.listeners : undefined;
  const label = t('detail.chart', {
    channel: channelId,
    now: count(present),
    most: count(seen.length > 0 ? Math.max(...seen.map(Number)) : undefined),
  });
  return (
    <section aria-labelledby="timeline-title" className="card flex flex-col gap-2 p-4">
      <div className="flex flex-wrap items-center gap-2">
        <h2 id="timeline-title" className="font-semibold">
          {t('detail.listeners_over_time')}
        </h2>
        <p className="mr-auto min-h-5 text-sm text-soft tabular-nums">
          {point && `${clock(point.at)} · ${count(point.listeners)}`}
        </p>
        <fieldset className="flex rounded-lg border border-line p-0.5">
          <legend className="sr-only">{t('detail.window')}</legend>
          {MINUTES.map((each) => (
            <button
              key={each}
              type="button"
              aria-pressed={minutes === each}
              className="min-h-7 cursor-pointer rounded-md px-2.5 text-sm text-soft aria-pressed:bg-jade-wash aria-pressed:text-jade"
              onClick={() => setMinutes(each)}
            >
              {t('detail.minutes', { count: each })}
            </button>
          ))}
        </fieldset>
      </div>
      <ListenerChart line={line} marks={marked} axis={axis} label={label} onPoint={setPoint} />
      <Lane name={t('detail.tracks')}>
        {tracks.map(({ track, ...span }) => {
          const words = [track.title, track.artist].filter(Boolean).join(' – ');
          return (
            <Bar
              key={span.from}
              span={span}
              axis={axis}
              title={titleOf(span, words, text)}
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
            title={titleOf(span, t(`phase.${phase}`), text)}
            look={PHASE_LOOKS[phase] ?? 'bg-line'}
          />
        ))}
        {marked.map(({ at, event, because }) => (
          <span
            key={`${at} ${event}`}
            className={`absolute top-0 h-full w-0.5 ${TICKS[event] ?? 'w-px bg-soft'}`}
            style={{ left: percent(at, axis) }}
            title={`${clock(at)} ${text.lookUp(`event.${event}`, event)}: ${text.said(because) ?? because}`}
          />
        ))}
      </Lane>
      {since !== undefined && (
        <p className="text-xs text-soft">{t('detail.heard_since', { time: clock(since) })}</p>
      )}
    </section>
  );
}

const titleOf = ({ from, to }: Span, words: string, { clock }: Text) =>
  `${clock(from)}–${clock(to)} ${words}`;

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
