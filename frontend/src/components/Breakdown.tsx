import { Component, type ReactNode } from 'react';
import { useText } from '@/i18n';
import { Icon } from './Icon';

interface Props {
  children: ReactNode;
}

/** What is shown of a page that cannot be: a part of it did not come, or fell over. */
export class Breakdown extends Component<Props, { detail?: string }> {
  override state: { detail?: string } = {};

  static getDerivedStateFromError(problem: unknown) {
    return { detail: problem instanceof Error ? problem.message : String(problem) };
  }

  override render() {
    const { detail } = this.state;
    return detail === undefined ? this.props.children : <Broken detail={detail} />;
  }
}

function Broken({ detail }: { detail: string }) {
  const { t } = useText();
  return (
    <main className="flex flex-col items-center gap-4 px-4 py-24 text-center">
      <div role="alert" className="max-w-prose">
        <p className="flex items-center justify-center gap-2 font-semibold text-red">
          <Icon name="alert" />
          {t('broken.title')}
        </p>
        <p className="mt-2 leading-relaxed wrap-anywhere">{t('broken.text', { detail })}</p>
      </div>
      <button type="button" className="button" onClick={() => window.location.reload()}>
        {t('broken.reload')}
      </button>
    </main>
  );
}
