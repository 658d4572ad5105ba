import type { Command } from '@/data/explanation';
import { useText } from '@/i18n';
import { Details } from './Details';

/** What was ordered of a stream's sources, and what became of it. */
export function Commands({ commands, now }: { commands: readonly Command[]; now: number }) {
  const { t, lookUp, moment } = useText();
  return (
    <Details
      title={t('detail.commands')}
      heads={['decided', 'source', 'state', 'outcome', 'valid_until']}
      none={t('detail.commands_none')}
    >
      {commands.map((command) => (
        <tr key={`${command.id} ${command.source}`} title={command.id}>
          <td className="whitespace-nowrap tabular-nums">{moment(command.decided_at, now)}</td>
          <td className="wrap-anywhere">{command.source}</td>
          <td>{lookUp(`command.${command.state}`, command.state)}</td>
          <td>
            {command.outcome ? lookUp(`outcome.${command.outcome}`, command.outcome) : '–'}
            {command.detail && <span className="block text-soft">{command.detail}</span>}
          </td>
          <td className="whitespace-nowrap tabular-nums">
            {command.valid_until ? moment(command.valid_until, now) : '–'}
          </td>
        </tr>
      ))}
    </Details>
  );
}
