import type { ReactNode } from 'react';
import { useText } from '@/i18n';
import { Table } from './Table';

type Head =
  | 'source'
  | 'state'
  | 'listeners'
  | 'joins'
  | 'age'
  | 'believed'
  | 'decided'
  | 'outcome'
  | 'valid_until'
  | 'time'
  | 'event'
  | 'because'
  | 'left';

interface Props {
  title: string;
  heads: readonly Head[];
  /** Said in the place of no rows. */
  none: string;
  tall?: boolean;
  children: ReactNode[];
}

/** One part of the daemon's account of a stream. */
export function Details({ title, heads, none, tall, children }: Props) {
  const { t } = useText();
  return (
    <div className="card min-w-0 overflow-hidden">
      <h2 className="px-4 pt-3 pb-1 font-semibold">{title}</h2>
      {children.length === 0 ? (
        <p className="px-4 pt-1 pb-4 text-sm text-soft">{none}</p>
      ) : (
        <Table
          title={title}
          heads={heads.map((head) => t(`detail.${head}`))}
          height={tall ? 'max-h-96' : ''}
        >
          {children}
        </Table>
      )}
    </div>
  );
}
