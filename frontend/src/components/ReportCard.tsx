import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import { FROM_HERE, streamAddress } from '@/data/address';
import {
  ASK_AGAIN_MS,
  ChannelReport,
  type Figures,
  type Range,
  reportPath,
  TrackReport,
} from '@/data/recorded';
import { useAnswer } from '@/hooks/useAnswer';
import { useNow } from '@/hooks/useNow';
import { useText } from '@/i18n';
import { Icon } from './Icon';
import { RangeChoice } from './RangeChoice';
import { Table } from './Table';

const OF_CHANNELS = ['hour', 'day', 'fortnight', 'year'] as const;
/** Tracks are kept no longer. */
const OF_TRACKS = ['hour', 'day', 'fortnight'] as const;
/** More rows are for a spreadsheet. */
const ROWS_SHOWN = 200;

const FIGURES = [
  'listener_minutes',
  'average',
  'peak',
  'minutes_without_listeners',
  'unknown_minutes',
  'sessions',
  'auto_ends',
  'minutes_saved',
] as const satisfies readonly (keyof Figures)[];

interface Weighed {
  listener_minutes: number;
}
const byWeight = (a: Weighed, b: Weighed) => b.listener_minutes - a.listener_minutes;

/** What a stretch of time amounts to, of every stream. */
export function AllReport() {
  const { t } = useText();
  const [range, setRange] = useState<Range>('day');
  const { answer, failure } = useAnswer(
    `all ${range}`,
    (now) => reportPath('channel', undefined, now, range),
    ChannelReport,
    ASK_AGAIN_MS,
  );
  const say = useFigures();
  const rows = answer?.rows.toSorted(byWeight) ?? [];
  return (
    <Card
      title={t('report.title')}
      range={range}
      ranges={OF_CHANNELS}
      onRange={setRange}
      downloads={[
        ['channel', undefined],
        ['day', undefined],
      ]}
      failure={failure}
    >
      {answer && <Totals figures={answer.total} ofAll />}
      {answer && (
        <Rows
          title={t('report.by_channel')}
          heads={[t('report.channel'), ...FIGURES.map((figure) => t(`report.${figure}`))]}
          hidden={rows.length - ROWS_SHOWN}
        >
          {rows.length === 0 && (
            <tr>
              <td colSpan={FIGURES.length + 1} className="text-soft">
                {t('report.none')}
              </td>
            </tr>
          )}
          {rows.slice(0, ROWS_SHOWN).map((row) => (
            <tr key={row.channel_id}>
              <td className="font-medium wrap-anywhere">
                <Link
                  href={streamAddress(row.channel_id)}
                  state={FROM_HERE}
                  className="rounded underline-offset-4 hover:underline"
                >
                  {row.channel_id}
                </Link>
              </td>
              {FIGURES.map((figure) => (
                <td key={figure} className="whitespace-nowrap tabular-nums">
                  {say(figure, row[figure])}
                </td>
              ))}
            </tr>
          ))}
        </Rows>
      )}
    </Card>
  );
}

/** The same of one stream, with its tracks. */
export function StreamReport({ channelId }: { channelId: string }) {
  const { t, number } = useText();
  const [range, setRange] = useState<Range>('day');
  const { answer, failure } = useAnswer(
    `${channelId} ${range}`,
    (now) => reportPath('track', channelId, now, range),
    TrackReport,
    ASK_AGAIN_MS,
  );
  const say = useFigures();
  const rows = answer?.rows.toSorted(byWeight) ?? [];
  return (
    <Card
      title={t('report.title')}
      range={range}
      ranges={OF_TRACKS}
      onRange={setRange}
      downloads={[
        ['track', channelId],
        ['day', channelId],
      ]}
      failure={failure}
    >
      {answer && <Totals figures={answer.total} />}
      {answer && rows.length === 0 && (
        <p className="px-4 py-3 text-sm text-soft">{t('report.no_tracks')}</p>
      )}
      {rows.length > 0 && (
        <Rows
          title={t('report.by_track')}
          heads={(['track', 'plays', 'minutes', 'average', 'peak', 'gained', 'lost'] as const).map(
            (head) => t(`report.${head}`),
          )}
          hidden={rows.length - ROWS_SHOWN}
        >
          {rows.slice(0, ROWS_SHOWN).map((row) => (
            <tr key={`${row.title}\n${row.artist}`}>
              <td className="wrap-anywhere">
                {row.title || t('report.unnamed')}
                {row.artist && <span className="block text-xs text-soft">{row.artist}</span>}
              </td>
              <td className="tabular-nums">{number(row.plays)}</td>
              <td className="whitespace-nowrap tabular-nums">
                {say('known_minutes', row.minutes)}
              </td>
              <td className="tabular-nums">{say('average', row.average)}</td>
              <td className="tabular-nums">{say('peak', row.peak)}</td>
              <td className="tabular-nums">{number(row.gained)}</td>
              <td className="tabular-nums">{number(row.lost)}</td>
            </tr>
          ))}
        </Rows>
      )}
    </Card>
  );
}

/** A figure in words of its kind: minutes as hours and minutes, counts as they are. */
function useFigures() {
  const { t, number, uptime } = useText();
  return (figure: keyof Figures, value?: number): string => {
    if (value === undefined) return t('detail.unknown');
    const isTime = figure !== 'listener_minutes' && figure.includes('minutes');
    return isTime ? uptime(value * 60) : number(Math.round(value * 10) / 10);
  };
}

function Totals({ figures, ofAll }: { figures: Figures; ofAll?: boolean }) {
  const { t } = useText();
  const say = useFigures();
  return (
    <dl className="grid grid-cols-2 gap-px border-y border-line bg-line sm:grid-cols-4">
      {FIGURES.map((figure) => (
        <div
          key={figure}
          className="bg-card px-4 py-2.5"
          title={t(
            ofAll && figure === 'average' ? 'report.average_total_long' : `report.${figure}_long`,
          )}
        >
          <dt className="text-sm text-soft">{t(`report.${figure}`)}</dt>
          <dd className="text-lg font-semibold tabular-nums">{say(figure, figures[figure])}</dd>
        </div>
      ))}
    </dl>
  );
}

interface CardProps {
  title: string;
  range: Range;
  ranges: readonly Range[];
  onRange: (range: Range) => void;
  /** What is offered as a table for a spreadsheet. */
  downloads: readonly (readonly ['channel' | 'day' | 'track', string | undefined])[];
  failure?: string;
  children: ReactNode;
}

function Card({ title, range, ranges, onRange, downloads, failure, children }: CardProps) {
  const { t } = useText();
  const now = useNow();
  return (
    <section aria-labelledby="report-title" className="card min-w-0 overflow-hidden">
      <div className="flex flex-wrap items-center gap-2 px-4 py-3">
        <h2 id="report-title" className="mr-auto font-semibold">
          {title}
        </h2>
        {downloads.map(([by, channelId]) => (
          <a
            key={by}
            href={reportPath(by, channelId, now, range, 'csv')}
            className="button"
            download
          >
            <Icon name="download" />
            {t(`report.csv_${by}`)}
          </a>
        ))}
        <RangeChoice range={range} from={ranges} onChoose={onRange} />
      </div>
      {failure !== undefined && (
        <p role="alert" className="px-4 pb-3 text-sm text-amber">
          {t('report.unread', { detail: failure || t('action.unreachable') })}
        </p>
      )}
      {children}
    </section>
  );
}

interface RowsProps {
  title: string;
  heads: readonly string[];
  hidden: number;
  children: ReactNode;
}

function Rows({ title, heads, hidden, children }: RowsProps) {
  const { t } = useText();
  return (
    <>
      <Table title={title} heads={heads} height="max-h-[32rem]">
        {children}
      </Table>
      {hidden > 0 && (
        <p className="border-t border-line px-4 py-2 text-sm text-soft">
          {t('report.more', { count: hidden })}
        </p>
      )}
    </>
  );
}
