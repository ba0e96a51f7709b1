/** A small set of line icons (16 px), drawn here so that no icon package has to travel. */
const paths = {
  clock: "M8 3.8V8l2.6 1.7M8 14.2A6.2 6.2 0 1 0 8 1.8a6.2 6.2 0 0 0 0 12.4Z",
  soon: "M4.5 2h7M4.5 14h7M5.5 2c0 4 5 4 5 6s-5 2-5 6M10.5 2c0 4-5 4-5 6s5 2 5 6",
  danger: "M8 2 14.5 13.5H1.5L8 2ZM8 6.5v3.2M8 11.6v.2",
  check: "M3 8.5 6.5 12 13 4.5",
  cross: "M4 4l8 8M12 4l-8 8",
  question: "M5.8 6a2.2 2.2 0 1 1 3.2 2c-.7.4-1 .8-1 1.6M8 12v.2",
  jump: "M8 1.5v3M8 11.5v3M1.5 8h3M11.5 8h3M8 10.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z",
  layers: "M8 2 14 5.2 8 8.4 2 5.2 8 2ZM2.5 8.2 8 11.1l5.5-2.9M2.5 11 8 13.9l5.5-2.9",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM10.8 10.8 14 14",
  sound: "M2 6v4h2.5L8 13V3L4.5 6H2ZM10.5 5.5a3.5 3.5 0 0 1 0 5M12.3 3.7a6 6 0 0 1 0 8.6",
  upload: "M8 10.5V2.5M4.8 5.5 8 2.3l3.2 3.2M2.5 10v3.5h11V10",
  down: "M4 6.5 8 10.5 12 6.5",
  up: "M4 9.5 8 5.5l4 4",
  hold: "M5.5 3.5v9M10.5 3.5v9",
  person: "M8 8a2.8 2.8 0 1 0 0-5.6A2.8 2.8 0 0 0 8 8ZM2.8 14c.5-2.9 2.5-4.3 5.2-4.3s4.7 1.4 5.2 4.3",
  raise: "M8 13.5v-11M3.8 6.5 8 2.3l4.2 4.2",
  more: "M3 8h.1M8 8h.1M13 8h.1",
  lock: "M4 7.5h8V14H4V7.5ZM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, size = 14 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={paths[name]} />
    </svg>
  );
}
