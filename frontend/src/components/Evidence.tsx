import type { Reporter } from '@/data/explanation';
import { useText } from '@/i18n';
import { Details } from './Details';
import { ForgetButton } from './ForgetButton';

/** Who reports of a stream, and what of it is believed. */
export function Evidence({
  channelId,
  reporters,
}: {
  channelId: string;
  reporters: readonly Reporter[];
}) {
  const { t, number, lookUp } = useText();
  const count = (value?: number) => (value === undefined ? t('detail.unknown') : number(value));
  return (
    <Details
      title={t('detail.evidence')}
      heads={['source', 'state', 'listeners', 'joins', 'age', 'believed']}
      none={t('detail.evidence_none')}
    >
      {reporters.map((reporter) => (
        <tr key={`${reporter.source} ${reporter.session}`}>
          <td className="font-medium wrap-anywhere">
            {reporter.source}
            <span className="block max-w-40 truncate text-xs text-soft" title={reporter.session}>
              {reporter.session}
            </span>
          </td>
          <td>{lookUp(`state.${reporter.state}`, reporter.state)}</td>
          <td className="tabular-nums">{count(reporter.listeners)}</td>
          <td className="tabular-nums">{count(reporter.joins)}</td>
          <td className="tabular-nums">
            {reporter.age_seconds === undefined
              ? '–'
              : t('detail.seconds', { seconds: Math.round(reporter.age_seconds) })}
          </td>
          <td className={reporter.believed ? '' : 'text-amber'}>
            {t(reporter.believed ? 'detail.yes' : 'detail.no')}
            {!reporter.believed && <ForgetButton channelId={channelId} source={reporter.source} />}
          </td>
        </tr>
      ))}
    </Details>
  );
}
