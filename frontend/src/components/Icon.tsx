/** Line icons on a 20 by 20 grid; always beside a text, so never read aloud. */
const PATHS = {
  pause: 'M7 4.5v11M13 4.5v11',
  resume: 'M6 4.2v11.6l9.5-5.8z',
  extend: 'M10 4v12M4 10h12',
  cancel:
    'M10 16.5s-6.5-3.8-6.5-8.4A3.6 3.6 0 0 1 10 6a3.6 3.6 0 0 1 6.5 2.1c0 4.6-6.5 8.4-6.5 8.4z',
  stop: 'M5 5h10v10H5z',
  clock: 'M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM10 6.5V10l2.5 1.8',
  alert: 'M10 3.2 18 16.8H2zM10 8.2v3.6M10 14.3v.1',
  question:
    'M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM8 8.2a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.3M10 13.7v.1',
  eye: 'M2.5 10S5 5 10 5s7.5 5 7.5 5-2.5 5-7.5 5-7.5-5-7.5-5zM10 8a2 2 0 1 0 0 4 2 2 0 0 0 0-4z',
  off: 'M10 3.5v6M6 5.6a6 6 0 1 0 8 0',
  download: 'M10 3.5v9M6 9l4 4 4-4M4 16.5h12',
  report: 'M4 16.5V10M8.5 16.5v-13M13 16.5V7M17 16.5H3',
  forget: 'M5 5.5h10M8 5.5V4h4v1.5M6.5 5.5l.7 11h5.6l.7-11',
  check: 'M4 10.5l4 4 8-9',
  close: 'M5 5l10 10M15 5L5 15',
  search: 'M9 3.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM13 13l4 4',
  wall: 'M3 4h14v9.5H3zM7.5 17h5M10 13.5V17',
  keyboard: 'M2.5 5h15v10h-15zM5.5 8h.1M8.5 8h.1M11.5 8h.1M14.5 8h.1M6.5 12h7',
  settings: 'M3 6h8M15 6h2M3 14h2M9 14h8M13 4v4M7 12v4',
  back: 'M12 4l-6 6 6 6',
  cards: 'M3.5 3.5h5.5v5.5H3.5zM11 3.5h5.5v5.5H11zM3.5 11h5.5v5.5H3.5zM11 11h5.5v5.5H11z',
  rows: 'M3 5h14M3 10h14M3 15h14',
  note: 'M7 15.5V4.5l9-1.5v10.5M7 15.5a2 2 0 1 1-4 0 2 2 0 0 1 4 0zM16 13.5a2 2 0 1 1-4 0 2 2 0 0 1 4 0z',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg
      viewBox="0 0 20 20"
      className="size-4 shrink-0"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.7"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
