interface Props<T extends string> {
  label: string;
  value: T;
  options: readonly (readonly [value: T, name: string])[];
  onChoose: (value: T) => void;
  /** The label is for those who do not see: the options say it all. */
  quiet?: boolean;
}

/** One of a few; the browser's own list, for it is the best one on a phone. */
export function Choice<T extends string>({ label, value, options, onChoose, quiet }: Props<T>) {
  return (
    <label className={quiet ? 'min-w-0' : 'flex flex-col gap-1'}>
      <span className={quiet ? 'sr-only' : 'text-sm text-soft'}>{label}</span>
      <select
        value={value}
        title={quiet ? label : undefined}
        className="field w-full cursor-pointer"
        onChange={({ target }) => {
          const chosen = options.find(([each]) => each === target.value);
          if (chosen) onChoose(chosen[0]);
        }}
      >
        {options.map(([each, name]) => (
          <option key={each} value={each}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
