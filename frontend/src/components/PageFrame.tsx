import { type ReactNode, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { LIST, REPORTS, WALL } from '@/data/address';
import type { Fault } from '@/data/wire';
import { useKeys } from '@/hooks/useKeys';
import { useText } from '@/i18n';
import { ConnectionNotice, ConnectionStatus } from './ConnectionStatus';
import { FaultNotice } from './FaultNotice';
import { Icon } from './Icon';
import { KeyboardHelp } from './KeyboardHelp';
import { Logo } from './Logo';
import { Settings } from './Settings';
import { StopDialog } from './StopDialog';

interface Props {
  isConnected: boolean;
  staleSince?: number;
  error?: Fault;
  children: ReactNode;
}

/** What stands around every page but the wall: who we are, whether it is live, how to set it up. */
export function PageFrame({ isConnected, staleSince, error, children }: Props) {
  const { t } = useText();
  const [, goTo] = useLocation();
  const [open, setOpen] = useState<'settings' | 'keys'>();
  const close = () => setOpen(undefined);
  const isStale = !isConnected && staleSince !== undefined;
  useKeys({ w: () => goTo(WALL), '?': () => setOpen('keys') });

  return (
    <div className="mx-auto flex max-w-[100rem] flex-col gap-4 px-3 py-3 sm:gap-5 sm:px-6 sm:py-5">
      <header className="flex flex-wrap items-center gap-2 sm:gap-3">
        <Link href={LIST} className="mr-auto flex min-w-0 items-center gap-2.5 rounded-lg">
          <Logo />
          <div className="min-w-0">
            <h1 className="leading-tight font-semibold tracking-tight sm:text-lg">
              {t('page.title')}
            </h1>
            <p className="hidden text-sm text-soft md:block">{t('page.subtitle')}</p>
          </div>
        </Link>
        <ConnectionStatus isConnected={isConnected} staleSince={staleSince} />
        <div className="flex gap-1">
          <Link
            href={REPORTS}
            className="icon-button"
            title={t('report.title')}
            aria-label={t('report.title')}
          >
            <Icon name="report" />
          </Link>
          <Link
            href={WALL}
            className="icon-button hidden sm:inline-flex"
            title={`${t('page.wall')} (w)`}
            aria-label={t('page.wall')}
          >
            <Icon name="wall" />
          </Link>
          <button
            type="button"
            className="icon-button hidden sm:inline-flex"
            title={`${t('page.keys')} (?)`}
            aria-label={t('page.keys')}
            onClick={() => setOpen('keys')}
          >
            <Icon name="keyboard" />
          </button>
          <button
            type="button"
            className="icon-button"
            title={t('page.settings')}
            aria-label={t('page.settings')}
            onClick={() => setOpen('settings')}
          >
            <Icon name="settings" />
          </button>
        </div>
      </header>

      <ConnectionNotice isConnected={isConnected} staleSince={staleSince} />
      {error && <FaultNotice fault={error} />}

      {/* Dimmed when offline: an old number must not look like a fresh one. */}
      <main className={`flex flex-col gap-4 sm:gap-5 ${isStale ? 'stale' : ''}`}>{children}</main>
      <StopDialog />
      {open === 'settings' && <Settings onClose={close} />}
      {open === 'keys' && <KeyboardHelp onClose={close} />}
    </div>
  );
}
