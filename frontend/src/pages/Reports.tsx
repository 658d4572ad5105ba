import { Link } from 'wouter';
import { Icon } from '@/components/Icon';
import { PageFrame } from '@/components/PageFrame';
import { AllReport } from '@/components/ReportCard';
import { LIST } from '@/data/address';
import { useMonitorStore } from '@/data/store';
import { useText } from '@/i18n';

export function Reports() {
  const { t } = useText();
  const { isConnected, staleSince, error } = useMonitorStore();
  return (
    <PageFrame isConnected={isConnected} staleSince={staleSince} error={error}>
      <nav>
        <Link
          href={LIST}
          className="inline-flex items-center gap-1.5 rounded text-sm text-soft underline-offset-4 hover:underline"
        >
          <Icon name="back" />
          {t('page.back')}
        </Link>
      </nav>
      <AllReport />
      <p className="text-sm text-soft">{t('report.about')}</p>
    </PageFrame>
  );
}
