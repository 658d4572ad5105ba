import type { Decision } from '@/data/explanation';
import { useText } from '@/i18n';
import { Details } from './Details';
import { Said } from './Said';

/** What was decided about a stream, the newest first. */
export function Journal({ decisions, now }: { decisions: readonly Decision[]; now: number }) {
  const { t, lookUp, number, moment, duration } = useText();
  return (
    <Details
      title={t('detail.journal')}
      heads={['time', 'event', 'because', 'listeners', 'left']}
      none={t('detail.journal_none')}
      tall
    >
      {decisions
        .toSorted((a, b) => b.seq - a.seq)
        .map(({ seq, at, event, because, by, listeners, remaining_seconds }) => (
          <tr key={seq}>
            <td className="whitespace-nowrap tabular-nums">{moment(at, now)}</td>
            <td className="font-medium">{lookUp(`event.${event}`, event)}</td>
            <td>
              <Said sentence={because} />
              {by !== undefined && ` (${by})`}
            </td>
            <td className="tabular-nums">
              {listeners === undefined ? t('detail.unknown') : number(listeners)}
            </td>
            <td className="tabular-nums">
              {remaining_seconds === undefined ? '' : duration(remaining_seconds)}
            </td>
          </tr>
        ))}
    </Details>
  );
}
