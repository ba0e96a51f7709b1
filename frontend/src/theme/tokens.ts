/**
 * Every colour, space and type size of the pages, once.
 * Red means danger to a patient, amber means due soon, violet means "an AI said so"; nothing else uses them.
 * Text colours reach WCAG AA (4.5:1) on `background`, `surface` and `raised`; theme.test.ts measures it.
 */
export const color = {
  background: "#0f1115",
  surface: "#161920",
  raised: "#1e222b",
  hover: "#20252f",
  selected: "#1d2a3f",
  line: "#272c36",
  lineStrong: "#3a414e",
  text: "#e6e8eb",
  textQuiet: "#a3abb8",
  textFaint: "#8b94a3",
  accent: "#6ea8fe",
  accentStrong: "#2563c9",
  danger: "#ff7b72",
  dangerStrong: "#b3261e",
  dangerSurface: "#2e1517",
  soon: "#f0b429",
  soonSurface: "#2b2211",
  ai: "#b79cff",
  aiQuiet: "#a08fd6",
  aiLine: "#4a4266",
  aiSurface: "#211b33",
  good: "#6cc394",
} as const;

export const space = { xs: 4, sm: 8, md: 12, lg: 16, xl: 24 } as const;

export const type = {
  family: 'Inter, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Noto Sans", system-ui, sans-serif',
  mono: 'ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace',
  tiny: "11px",
  small: "12px",
  body: "13px",
  read: "14px",
  title: "16px",
  large: "20px",
} as const;

/** Row height of the worklist (px): two lines on a desk, four on a phone. */
export const rowHeight = { desk: 36, phone: 78 } as const;

export const motion = { slideMs: 140 } as const;

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The tokens as CSS custom properties: color.textQuiet -> --text-quiet, space.sm -> --space-sm. */
export function tokensToCss(): string {
  const lines = [
    ...Object.entries(color).map(([name, value]) => `--${kebab(name)}: ${value};`),
    ...Object.entries(space).map(([name, value]) => `--space-${name}: ${String(value)}px;`),
    ...Object.entries(type).map(([name, value]) => `--type-${kebab(name)}: ${value};`),
    `--slide: ${String(motion.slideMs)}ms;`,
  ];
  return `:root {\n  ${lines.join("\n  ")}\n}\n`;
}
