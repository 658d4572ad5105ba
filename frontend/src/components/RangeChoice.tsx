import { RANGES, type Range } from '@/data/recorded';
import { useText } from '@/i18n';

interface Props {
  range: Range;
  /** All of them where nothing is said. */
  from?: readonly Range[];
  onChoose: (range: Range) => void;
}

/** How far back is looked. */
export function RangeChoice({ range, from = Object.keys(RANGES) as Range[], onChoose }: Props) {
  const { t } = useText();
  return (
    <fieldset className="flex rounded-lg border border-line p-0.5">
      <legend className="sr-only">{t('detail.window')}</legend>
      {from.map((each) => (
        <button
          key={each}
          type="button"
          aria-pressed={range === each}
          className="min-h-7 cursor-pointer rounded-md px-2.5 text-sm whitespace-nowrap text-soft aria-pressed:bg-jade-wash aria-pressed:text-jade"
          onClick={() => onChoose(each)}
        >
          {t(`range.${each}`)}
        </button>
      ))}
    </fieldset>
  );
}
