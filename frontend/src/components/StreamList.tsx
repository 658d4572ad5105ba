import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useCallback, useEffect, useLayoutEffect, useMemo, useState } from 'react';
import type { Condition, Group, Section } from '@/data/listing';
import type { Preferences } from '@/data/preferences';
import type { Stream } from '@/data/store';
import { useKeys } from '@/hooks/useKeys';
import { useSize } from '@/hooks/useSize';
import { useText } from '@/i18n';
import { pressByKey } from './StreamActions';
import { cardId, StreamCard } from './StreamCard';
import { StreamRow } from './StreamRow';
import { CONDITION_DOTS } from './StreamToolbar';

/** In rem. Every line has its height from here, so nothing has to be measured. */
const CARD = { least: 20, gap: 0.75, height: 11 };
const HEADING_HEIGHT = 2.75;
const ROW_HEIGHT = { wide: 3.25, narrow: 6 };
/** Narrower than this a row is told in two lines. */
const WIDE = 56;
/** Lines drawn beyond what is seen, so that scrolling meets no gap. */
const OVERSCAN = { cards: 2, rows: 6 };

interface Line {
  key: string;
  height: number;
  heading?: Section;
  streams: Stream[];
  /** Place of the first of them among all. */
  first: number;
}

interface Props {
  sections: Section[];
  layout: Preferences['layout'];
  group: Group;
}

/** Thousands of streams: only those in sight are drawn. */
export function StreamList({ sections, layout, group }: Props) {
  const [box, { width: pixels }] = useSize<HTMLDivElement>();
  const rem = useRem();
  const width = pixels / rem;
  const isWide = width >= WIDE;
  const columns =
    layout === 'cards' ? Math.max(1, Math.floor((width + CARD.gap) / (CARD.least + CARD.gap))) : 1;
  const lines = useMemo(
    () => linesOf(sections, layout, columns, isWide),
    [sections, layout, columns, isWide],
  );
  const total = sections.reduce((sum, section) => sum + section.streams.length, 0);
  const [top, setTop] = useState(0);
  // What stands above the list grows and shrinks with the warnings.
  useLayoutEffect(() => {
    const now = box.current?.getBoundingClientRect().top ?? 0;
    setTop(Math.round(now + window.scrollY));
  });
  const virtual = useWindowVirtualizer({
    count: lines.length,
    estimateSize: (index) => (lines[index]?.height ?? 0) * rem,
    getItemKey: useCallback((index: number) => lines[index]?.key ?? index, [lines]),
    overscan: OVERSCAN[layout],
    scrollMargin: top,
    initialOffset: leftAt,
  });
  useEffect(() => rememberPlace, []);
  useSteps(lines, virtual.scrollToIndex);

  const Item = layout === 'cards' ? StreamCard : StreamRow;
  return (
    <div ref={box} className="relative" style={{ height: virtual.getTotalSize() }}>
      {virtual.getVirtualItems().map(({ index, key, start }) => {
        const line = lines[index];
        if (!line) return null;
        return (
          <div
            key={key}
            className="absolute inset-x-0 top-0 grid"
            style={{
              transform: `translateY(${start - top}px)`,
              gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`,
              columnGap: `${CARD.gap}rem`,
              height: `${line.height}rem`,
              paddingBottom: layout === 'cards' && !line.heading ? `${CARD.gap}rem` : 0,
            }}
          >
            {line.heading && <Heading section={line.heading} group={group} />}
            {line.streams.map((stream, place) => (
              <Item
                key={stream.channel_id}
                stream={stream}
                place={line.first + place + 1}
                total={total}
              />
            ))}
          </div>
        );
      })}
    </div>
  );
}

function linesOf(
  sections: Section[],
  layout: Preferences['layout'],
  columns: number,
  isWide: boolean,
): Line[] {
  const lines: Line[] = [];
  const height =
    layout === 'cards' ? CARD.height + CARD.gap : ROW_HEIGHT[isWide ? 'wide' : 'narrow'];
  let first = 0;
  for (const section of sections) {
    if (section.key !== '' || sections.length > 1) {
      const key = `heading ${section.key}`;
      lines.push({ key, height: HEADING_HEIGHT, heading: section, streams: [], first });
    }
    for (let from = 0; from < section.streams.length; from += columns) {
      const streams = section.streams.slice(from, from + columns);
      const key = `${layout} ${isWide} ${section.key} ${from}`;
      lines.push({ key, height, streams, first });
      first += streams.length;
    }
  }
  return lines;
}

function Heading({ section, group }: { section: Section; group: Group }) {
  const { t, number } = useText();
  const { key, streams } = section;
  const isCondition = group === 'condition';
  return (
    <h3 className="col-span-full flex items-end gap-2 pb-2 text-sm font-semibold">
      {isCondition && (
        <span
          className={`mb-1.5 size-2 rounded-full ${CONDITION_DOTS[key as Condition]}`}
          aria-hidden="true"
        />
      )}
      {isCondition ? t(`condition.${key as Condition}`) : key || t('list.no_source')}
      <span className="font-normal text-soft tabular-nums">{number(streams.length)}</span>
    </h3>
  );
}

// ---- where the list was left, for whoever comes back from a stream's page ----

let placeLeft = 0;
const leftAt = () => placeLeft;
function rememberPlace() {
  placeLeft = window.scrollY;
}

// ---- the keyboard ----

/** `j` and `k` step from stream to stream, drawn or not; letters press the buttons of the one that has the focus. */
function useSteps(lines: Line[], scrollToIndex: (index: number) => void): void {
  function step(by: 1 | -1) {
    const ids = lines.flatMap((line) => line.streams.map((stream) => stream.channel_id));
    const here = document.activeElement?.closest('[data-channel]')?.getAttribute('data-channel');
    const at = here ? ids.indexOf(here) : by > 0 ? -1 : ids.length;
    const id = ids[Math.min(ids.length - 1, Math.max(0, at + by))];
    if (id === undefined) return;
    scrollToIndex(lines.findIndex((line) => line.streams.some((s) => s.channel_id === id)));
    // Only what is drawn can be focused.
    requestAnimationFrame(() =>
      requestAnimationFrame(() => document.getElementById(cardId(id))?.focus()),
    );
  }
  const press = (key: string) => () =>
    pressByKey(key, document.activeElement?.closest('[data-channel]') ?? null);
  useKeys({
    j: () => step(1),
    k: () => step(-1),
    p: press('p'),
    e: press('e'),
    a: press('a'),
    s: press('s'),
  });
}

function useRem(): number {
  const [rem] = useState(() => {
    const size = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    return Number.isFinite(size) && size > 0 ? size : 16;
  });
  return rem;
}
