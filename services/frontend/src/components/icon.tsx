/** Line icons on a 24 x 24 grid. They are decoration: what they mean is in the text beside them or in the control's label. */

const PATHS = {
  home: "M4 11.5 12 5l8 6.5M6 10v9h12v-9M10 19v-5h4v5",
  jobs: "M4 6h16M4 12h16M4 18h10",
  plus: "M12 5v14M5 12h14",
  compare: "M4 19V5M4 19h16M7 15l4-5 3 3 5-7",
  data: "M5 7c0-1.7 3.1-3 7-3s7 1.3 7 3-3.1 3-7 3-7-1.3-7-3zM5 7v5c0 1.7 3.1 3 7 3s7-1.3 7-3V7M5 12v5c0 1.7 3.1 3 7 3s7-1.3 7-3v-5",
  model: "M12 3.5 19.5 8v8L12 20.5 4.5 16V8zM12 12l7.5-4M12 12 4.5 8M12 12v8.5",
  cluster: "M4 5h16v5H4zM4 14h16v5H4zM7.5 7.5h.01M7.5 16.5h.01M11 7.5h6M11 16.5h6",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M18.4 5.6 17 7M7 17l-1.4 1.4",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",
  search: "M10.5 4.5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15 15l5 5",
  close: "M6 6l12 12M18 6 6 18",
  check: "M5 12.5 10 17.5 19.5 7",
  chevron: "M9 5l7 7-7 7",
  down: "M12 4v11M7 11l5 5 5-5M5 20h14",
  up: "M12 16V5M7 9l5-5 5 5M5 20h14",
  external: "M9 5H5v14h14v-4M13 5h6v6M19 5l-9 9",
  retry: "M5 12a7 7 0 1 0 2.2-5.1M5 4.5V8.5h4",
  copy: "M9 9h10v11H9zM6 15H5V4h10v2",
  trash: "M5 7h14M10 7V4.5h4V7M7 7l1 13h8l1-13M10.5 11v5.5M13.5 11v5.5",
  stop: "M7 7h10v10H7z",
  more: "M5.5 12h.01M12 12h.01M18.5 12h.01",
  help: "M9.5 9.2c.2-1.5 1.2-2.4 2.6-2.4 1.500 0 2.500.9 2.500 2.200 0 2-2.600 2.100-2.600 4.200M12 17h.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z",
  folder: "M3.500 6.500h6l2 2.500h9V18.500h-17z",
  alert: "M12 4 2.500 20h19zM12 10v4.500M12 17.200h.01",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={name === "more" ? 3 : 1.75}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
