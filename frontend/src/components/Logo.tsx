export function Logo() {
  return (
    <svg
      viewBox="-1.5 -1.5 35 35"
      className="size-10 shrink-0 text-jade"
      fill="none"
      stroke="currentColor"
      strokeWidth="2.4"
      strokeLinecap="round"
      aria-hidden="true"
    >
      <circle cx="16" cy="16" r="3.4" fill="currentColor" stroke="none" />
      <path d="M9.3 9.3a9.5 9.5 0 0 0 0 13.4M22.7 9.3a9.5 9.5 0 0 1 0 13.4" />
      <path d="M4.6 4.9a15.8 15.8 0 0 0 0 22.2M27.4 4.9a15.8 15.8 0 0 1 0 22.2" opacity=".45" />
    </svg>
  );
}
