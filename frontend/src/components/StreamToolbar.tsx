import { useMemo, useRef } from 'react';
import {
  CONDITIONS,
  type Condition,
  countConditions,
  GROUPS,
  SORTS,
  sourcesOf,
  type View,
} from '@/data/listing';
import { LAYOUTS, type Preferences, prefer } from '@/data/preferences';
import type { Stream } from '@/data/store';
import { useKeys } from '@/hooks/useKeys';
import { useText } from '@/i18n';
import { Choice } from './Choice';
import { Icon } from './Icon';
import { OnlyLooking } from './OnlyLooking';

interface Props {
  streams: Stream[];
  view: View;
  typed: string;
  found: number;
  layout: Preferences['layout'];
  onView: (change: Partial<View>) => void;
}

export const CONDITION_DOTS: Record<Condition, string> = {
  failed: 'bg-red-solid',
  ending: 'bg-amber',
  unknown: 'border-2 border-amber',
  held: 'border-2 border-soft',
  heard: 'bg-jade',
  ended: 'bg-line',
};

export function StreamToolbar({ streams, view, typed, found, layout, onView }: Props) {
  const { t } = useText();
  const field = useRef<HTMLInputElement>(null);
  useKeys({ '/': () => field.current?.focus() });
  const counts = useMemo(() => countConditions(streams), [streams]);
  const sources = useMemo(() => sourcesOf(streams), [streams]);
  const total = streams.length;
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-2">
        <div className="flex min-w-0 flex-1 flex-wrap items-center gap-x-2">
          <h2 id="streams-title" className="text-lg font-semibold tracking-tight">
            {t('streams.title')}
          </h2>
          <p aria-live={typed ? 'polite' : 'off'} className="text-sm text-soft tabular-nums">
            {found === total
              ? t('streams.count', { count: total })
              : t('list.found', { count: found, total })}
          </p>
          <OnlyLooking />
        </div>
        <label className="relative order-last w-full min-w-0 sm:order-none sm:w-64">
          <span className="sr-only">{t('list.search')}</span>
          <span className="pointer-events-none absolute inset-y-0 left-3 flex items-center text-soft">
            <Icon name="search" />
          </span>
          <input
            ref={field}
            type="search"
            value={typed}
            placeholder={t('list.search_hint')}
            title={`${t('list.search')} (/)`}
            className="field w-full pl-9 placeholder:text-soft"
            onChange={({ target }) => onView({ search: target.value })}
            onKeyDown={(event) => {
              if (event.key !== 'Escape') return;
              onView({ search: '' });
              field.current?.blur();
            }}
          />
        </label>
        <fieldset className="flex rounded-lg border border-line bg-card p-0.5">
          <legend className="sr-only">{t('list.layout')}</legend>
          {LAYOUTS.map((each) => (
            <button
              key={each}
              type="button"
              aria-pressed={layout === each}
              aria-label={t(`list.layout.${each}`)}
              title={t(`list.layout.${each}`)}
              className="icon-button size-8 rounded-md aria-pressed:bg-jade-wash aria-pressed:text-jade"
              onClick={() => prefer({ layout: each })}
            >
              <Icon name={each} />
            </button>
          ))}
        </fieldset>
      </div>
      <div className="flex flex-col gap-2 lg:flex-row lg:items-center">
        <fieldset className="-mx-3 flex min-w-0 gap-1.5 overflow-x-auto px-3 py-0.5 sm:mx-0 sm:flex-wrap sm:px-0 lg:mr-auto">
          <legend className="sr-only">{t('list.condition')}</legend>
          <Filter condition="all" count={total} view={view} onView={onView} />
          {CONDITIONS.filter((each) => counts[each] > 0 || view.condition === each).map((each) => (
            <Filter key={each} condition={each} count={counts[each]} view={view} onView={onView} />
          ))}
        </fieldset>
        <div className="grid auto-cols-fr grid-flow-col gap-2 sm:flex">
          {sources.length > 1 && (
            <Choice
              quiet
              label={t('list.source')}
              value={view.source}
              options={[
                ['', t('list.source.all')],
                ...sources.map((source) => [source, source] as const),
              ]}
              onChoose={(source) => onView({ source })}
            />
          )}
          <Choice
            quiet
            label={t('list.sort')}
            value={view.sort}
            options={SORTS.map((each) => [each, t(`list.sort.${each}`)])}
            onChoose={(sort) => onView({ sort })}
          />
          <Choice
            quiet
            label={t('list.group')}
            value={view.group}
            options={GROUPS.map((each) => [each, t(`list.group.${each}`)])}
            onChoose={(group) => onView({ group })}
          />
        </div>
      </div>
    </div>
  );
}

interface FilterProps {
  condition: Condition | 'all';
  count: number;
  view: View;
  onView: Props['onView'];
}

function Filter({ condition, count, view, onView }: FilterProps) {
  const { t, number } = useText();
  return (
    <button
      type="button"
      aria-pressed={view.condition === condition}
      className="inline-flex min-h-8 shrink-0 cursor-pointer items-center gap-1.5 rounded-full border border-line bg-card px-3 text-sm whitespace-nowrap text-soft transition-colors hover:border-soft aria-pressed:border-jade aria-pressed:bg-jade-wash aria-pressed:text-ink"
      onClick={() => onView({ condition })}
    >
      {condition !== 'all' && (
        <span className={`size-2 rounded-full ${CONDITION_DOTS[condition]}`} aria-hidden="true" />
      )}
      {t(`condition.${condition}`)}
      <span className="text-ink tabular-nums">{number(count)}</span>
    </button>
  );
}
