import { ActiveStreamsGrid } from '@/components/ActiveStreamsGrid';
import { AutoEndWarnings } from '@/components/AutoEndWarnings';
import { ConnectionNotice, ConnectionStatus } from '@/components/ConnectionStatus';
import { FaultNotice } from '@/components/FaultNotice';
import { Logo } from '@/components/Logo';
import { SystemMetricsCard } from '@/components/SystemMetricsCard';
import { useMonitoringWebSocket } from '@/hooks/useMonitoringWebSocket';
import { useText } from '@/i18n';

export function Monitoring() {
  const { t } = useText();
  const { stats, streams, warnings, isConnected, staleSince, error } = useMonitoringWebSocket();
  const hasFigures = isConnected || staleSince !== undefined;
  const unknownCounts = streams.filter(
    (s) => !s.listeners_known && s.ended_ms === undefined,
  ).length;

  return (
    <div className="mx-auto flex max-w-7xl flex-col gap-5 px-4 py-5 sm:gap-6 sm:px-6 sm:py-8">
      <header className="flex flex-wrap items-center gap-x-3 gap-y-3 sm:gap-x-4">
        <Logo />
        <div className="mr-auto">
          <h1 className="text-lg sm:text-xl leading-tight font-semibold tracking-tight">
            {t('page.title')}
          </h1>
          <p className="hidden text-sm text-soft sm:block">{t('page.subtitle')}</p>
        </div>
        <ConnectionStatus isConnected={isConnected} staleSince={staleSince} />
      </header>

      <ConnectionNotice isConnected={isConnected} staleSince={staleSince} />
      {error && <FaultNotice fault={error} />}

      {/* Dimmed when offline: an old number must not look like a fresh one. */}
      <main
        className={`flex flex-col gap-5 transition-opacity sm:gap-6 ${isConnected ? '' : 'opacity-60 grayscale'}`}
      >
        <AutoEndWarnings warnings={warnings} streams={streams} />
        <SystemMetricsCard stats={stats} unknownCounts={unknownCounts} />
        <ActiveStreamsGrid streams={streams} isKnown={hasFigures} />
      </main>
    </div>
  );
}
