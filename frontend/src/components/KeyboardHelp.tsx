import { useSession } from '@/data/session';
import { type Key, useText } from '@/i18n';
import { Dialog } from './Dialog';

type Shortcut = readonly [keys: readonly string[], what: Key];

const SHORTCUTS: readonly Shortcut[] = [
  [['/'], 'keys.search'],
  [['j', 'k'], 'keys.next'],
  [['Enter'], 'keys.open'],
  [['p'], 'keys.pause'],
  [['e'], 'keys.extend'],
  [['a'], 'keys.cancel'],
  [['s'], 'keys.stop'],
  [['w'], 'keys.wall'],
  [['Esc'], 'keys.back'],
  [['?'], 'keys.help'],
];
const OPERATORS_ONLY: ReadonlySet<Key> = new Set([
  'keys.pause',
  'keys.extend',
  'keys.cancel',
  'keys.stop',
]);

export function KeyboardHelp({ onClose }: { onClose: () => void }) {
  const { t } = useText();
  const mayOperate = useSession((session) => session.may_operate);
  const shortcuts = SHORTCUTS.filter(([, what]) => mayOperate || !OPERATORS_ONLY.has(what));
  return (
    <Dialog title={t('page.keys')} onClose={onClose}>
      {(close) => (
        <>
          <dl className="mt-4 grid grid-cols-[auto_1fr] items-center gap-x-4 gap-y-2">
            {shortcuts.map(([keys, what]) => (
              <div key={what} className="contents">
                <dt className="flex gap-1">
                  {keys.map((key) => (
                    <kbd
                      key={key}
                      className="min-w-7 rounded-md border border-line bg-sunk px-1.5 py-0.5 text-center font-mono text-sm"
                    >
                      {key}
                    </kbd>
                  ))}
                </dt>
                <dd className="text-sm">{t(what)}</dd>
              </div>
            ))}
          </dl>
          <div className="mt-5 flex justify-end">
            <button type="button" className="button" onClick={close}>
              {t('page.close')}
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}
