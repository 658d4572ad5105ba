import { type FocusEvent, type PointerEvent, useEffect, useMemo, useRef, useState } from 'react';
import { arrange, asItStood, EVERYTHING, type Section, type View } from '@/data/listing';
import { usePreferences } from '@/data/preferences';
import type { Stream } from '@/data/store';
import { useText } from '@/i18n';
import { FirstStreamer } from './FirstStreamer';
import { StreamList } from './StreamList';
import { StreamToolbar } from './StreamToolbar';

interface Props {
  streams: Stream[];
  /** False until the first snapshot: no streams and not knowing are two things. */
  isKnown: boolean;
  view: View;
  /** What stands in the search field; the list may still be on its way to it. */
  typed: string;
  onView: (change: Partial<View>) => void;
}

export function ActiveStreamsGrid({ streams, isKnown, view, typed, onView }: Props) {
  const { t } = useText();
  const layout = usePreferences((preferences) => preferences.layout);
  const hold = useHold();
  const { wanted, sections } = useHeldSections(streams, view, hold.isHeld);
  if (!isKnown) return <p className="py-16 text-center text-soft">{t('streams.waiting')}</p>;
  if (streams.length === 0) return <FirstStreamer />;
  const count = (of: Section[]) => of.reduce((sum, section) => sum + section.streams.length, 0);
  return (
    <section aria-labelledby="streams-title" className="flex flex-col gap-3">
      <StreamToolbar
        streams={streams}
        view={view}
        typed={typed}
        found={count(wanted)}
        layout={layout}
        onView={onView}
      />
      {count(sections) === 0 ? (
        <div className="card flex flex-col items-center gap-3 px-6 py-14 text-center">
          <p className="font-medium">{t('list.none')}</p>
          <p className="text-sm text-soft">{t('list.none_hint')}</p>
          <button type="button" className="button" onClick={() => onView(EVERYTHING)}>
            {t('list.clear')}
          </button>
        </div>
      ) : (
        <div {...hold.handlers}>
          <StreamList sections={sections} layout={layout} group={view.group} />
        </div>
      )}
    </section>
  );
}

/** A hand on the list: a mouse over it, or the keyboard's focus in it. */
function useHold() {
  const [isPointed, setPointed] = useState(false);
  const [focused, setFocused] = useState<Element>();
  // A card that is taken away takes the focus along and says nothing.
  useEffect(() => {
    if (focused && !focused.isConnected) setFocused(undefined);
  });
  return {
    isHeld: isPointed || focused !== undefined,
    handlers: {
      onPointerEnter: ({ pointerType }: PointerEvent) => setPointed(pointerType === 'mouse'),
      onPointerLeave: () => setPointed(false),
      // What a mouse has pressed keeps the focus, but no hand is there once the mouse has left.
      onFocus: ({ target }: FocusEvent) =>
        setFocused(target.matches(':focus-visible') ? target : undefined),
      onBlur: () => setFocused(undefined),
    },
  };
}

/** While a hand is on the list, nothing in it moves away: who aims at one stream must not hit another. */
function useHeldSections(streams: Stream[], view: View, isHeld: boolean) {
  const wanted = useMemo(() => arrange(streams, view), [streams, view]);
  const last = useRef<{ view: View; sections: Section[] }>({ view, sections: wanted });
  // Plainly by name nothing changes places, and a filter or group is what moves a card then.
  const sections = useMemo(() => {
    const before = last.current;
    if (!isHeld || before.view !== view) return wanted;
    const known = new Map(streams.map((stream) => [stream.channel_id, stream]));
    return asItStood(wanted, before.sections, known);
  }, [wanted, isHeld, streams, view]);
  last.current = { view, sections };
  return { wanted, sections };
}
